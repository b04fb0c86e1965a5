#ifndef TE_FULLY_CONNECTED_INT8_H
#define TE_FULLY_CONNECTED_INT8_H

#include <stdint.h>

/* Matrix product with constant weights, int8 data.
 *
 * input: [rows][depth]; output: [rows][units]; weights: [units][depth]
 * bias: [units], the input's zero point folded in: bias - input_zero_point * sum(weights)
 * multiplier, shift: one for each unit, or one for all where per_unit is 0;
 * multiplier: 0 or [2^30, 2^31); shift: [-31, 31]
 * output_zero_point: [-128, 127]
 *
 * The accumulator must fit 32 bits. */
typedef struct {
  uint16_t rows, depth, units;
  uint8_t per_unit;
  int16_t output_zero_point;
  int16_t output_min, output_max;
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  const int8_t *shift;
} te_fully_connected_int8_params;

void te_fully_connected_int8(const te_fully_connected_int8_params *params, const int8_t *input,
                             int8_t *output);

#endif
