#ifndef TE_FULLY_CONNECTED_PAIRS_INT8_H
#define TE_FULLY_CONNECTED_PAIRS_INT8_H

#include <stdint.h>

/* Matrix product with constant weights, int8 data, weights of two units in each 16-bit number.
 *
 * input: [rows][depth]; output: [rows][units]
 * weights: [(units + 3) / 4][groups][2][4], groups = (depth + 3) / 4. A number is 256 * (weight of the odd
 *   unit) + (weight of the even unit); the two are the pairs of a quad of units, the four belong to inputs
 *   0, 2, 1, 3 of a group of four. Numbers beyond the last input and the last unit are zero.
 * bias: [units], the input's zero point folded in
 * multiplier, shift: one for each unit, or one for all where per_unit is 0; [2^30, 2^31); [1, 31], to the
 *   right
 * output_zero_point: [-128, 127]
 *
 * For every input: |sum of products| < 2^23 without the bias, |sum| < 2^30 with it, and
 * |sum| * multiplier / 2^31 + |2 * output_zero_point + 1| * 2^(shift - 1) < 2^31.
 * scratch: 8 * groups bytes, aligned to 4. A row is copied there before its first output is written. */
typedef struct {
  uint16_t rows, depth, units;
  uint16_t groups;
  uint8_t per_unit;
  int16_t output_zero_point;
  int16_t output_min, output_max;
  const int16_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  const uint8_t *shift;
} te_fully_connected_pairs_int8_params;

void te_fully_connected_pairs_int8(const te_fully_connected_pairs_int8_params *params, const int8_t *input,
                                   int8_t *output, void *scratch);

#endif
