#ifndef TE_REDUCE_MIN_INT8_H
#define TE_REDUCE_MIN_INT8_H

#include "reduce.h"

/* The minimum over some dimensions, int8; input and output have one scale and zero point. */
typedef struct {
  te_reduce shape;
} te_reduce_min_int8_params;

void te_reduce_min_int8(const te_reduce_min_int8_params *params, const int8_t *input, int8_t *output);

#endif
