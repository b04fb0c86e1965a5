#ifndef TE_PRELU_INT8_H
#define TE_PRELU_INT8_H

#include "broadcast.h"

/* output = rescaled input_1, times input_2 where it is negative, int8.
 *
 * positive_multiplier, negative_multiplier: 0 or [2^30, 2^31); *_shift: [-31, 31] */
typedef struct {
  te_broadcast shape;
  int16_t zero_point_1, zero_point_2, output_zero_point;
  int8_t positive_shift, negative_shift;
  int32_t positive_multiplier, negative_multiplier;
} te_prelu_int8_params;

void te_prelu_int8(const te_prelu_int8_params *params, const int8_t *input_1, const int8_t *input_2,
                   int8_t *output);

#endif
