#ifndef TE_DEPTHWISE_CONV_2D_3X3_INT8_H
#define TE_DEPTHWISE_CONV_2D_3X3_INT8_H

#include "planes.h"

/* Depthwise convolution with 3 x 3 filters and stride 1 or 2 along a row, int8 data and weights.
 *
 * weights: [channels * depth_multiplier][3][3]
 * bias, multiplier, shift: one per output channel; bias has the input's zero point folded in;
 *   multiplier: [2^30, 2^31); shift: [1, 31], to the right
 * planes.pitch: at least output_columns rounded up to even, plus 2, or 2 * output_columns + 2 with stride 2
 * output_zero_point: [-128, 127]
 *
 * For every input: |sum| < 2^30 and |sum| * multiplier / 2^31 + |2 * output_zero_point + 1| * 2^(shift - 1)
 * < 2^31. scratch: the plane. With a depth_multiplier of 1 the output may stand exactly where the input
 * stands: what is written has been read. */
typedef struct {
  te_planes planes;
  int16_t output_zero_point;
  int16_t output_min, output_max;
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  const uint8_t *shift;
} te_depthwise_conv_2d_3x3_int8_params;

void te_depthwise_conv_2d_3x3_int8(const te_depthwise_conv_2d_3x3_int8_params *params, const int8_t *input,
                                   int8_t *output, void *scratch);

#endif
