#ifndef TE_MUL_INT8_H
#define TE_MUL_INT8_H

#include "broadcast.h"

/* output = input_1 * input_2, int8.
 *
 * output_multiplier: 0 or [2^30, 2^31); output_shift: [-31, 31] */
typedef struct {
  te_broadcast shape;
  int16_t zero_point_1, zero_point_2, output_zero_point;
  int16_t output_min, output_max;
  int8_t output_shift;
  int32_t output_multiplier;
} te_mul_int8_params;

void te_mul_int8(const te_mul_int8_params *params, const int8_t *input_1, const int8_t *input_2,
                 int8_t *output);

#endif
