#ifndef TE_ADD_INT16_H
#define TE_ADD_INT16_H

#include "broadcast.h"

/* output = input_1 + input_2, int16.
 *
 * Both operands are brought to twice the larger scale with 15 more bits, then to the output's scale.
 * multiplier_*: [2^30, 2^31); shift_*: [-31, 0] */
typedef struct {
  te_broadcast shape;
  int16_t zero_point_1, zero_point_2, output_zero_point;
  int16_t output_min, output_max;
  int8_t shift_1, shift_2, output_shift;
  int32_t multiplier_1, multiplier_2, output_multiplier;
} te_add_int16_params;

void te_add_int16(const te_add_int16_params *params, const int16_t *input_1, const int16_t *input_2,
                  int16_t *output);

#endif
