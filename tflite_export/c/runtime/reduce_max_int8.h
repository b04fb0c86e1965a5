#ifndef TE_REDUCE_MAX_INT8_H
#define TE_REDUCE_MAX_INT8_H

#include "reduce.h"

/* The maximum over some dimensions, int8; input and output have one scale and zero point. */
typedef struct {
  te_reduce shape;
} te_reduce_max_int8_params;

void te_reduce_max_int8(const te_reduce_max_int8_params *params, const int8_t *input, int8_t *output);

#endif
