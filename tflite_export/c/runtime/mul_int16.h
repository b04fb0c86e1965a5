#ifndef TE_MUL_INT16_H
#define TE_MUL_INT16_H

#include "broadcast.h"

/* output = input_1 * input_2, int16.
 *
 * output_multiplier: 0 or [2^30, 2^31); output_shift: [-31, 31] */
typedef struct {
  te_broadcast shape;
  int16_t zero_point_1, zero_point_2, output_zero_point;
  int16_t output_min, output_max;
  int8_t output_shift;
  int32_t output_multiplier;
} te_mul_int16_params;

void te_mul_int16(const te_mul_int16_params *params, const int16_t *input_1, const int16_t *input_2,
                  int16_t *output);

#endif
