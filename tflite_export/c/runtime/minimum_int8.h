#ifndef TE_MINIMUM_INT8_H
#define TE_MINIMUM_INT8_H

#include "broadcast.h"

/* output = the minimum of input_1 and input_2, int8 of one scale. */
typedef struct {
  te_broadcast shape;
} te_minimum_int8_params;

void te_minimum_int8(const te_minimum_int8_params *params, const int8_t *input_1, const int8_t *input_2,
                     int8_t *output);

#endif
