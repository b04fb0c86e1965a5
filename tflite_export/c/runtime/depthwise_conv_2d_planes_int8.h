#ifndef TE_DEPTHWISE_CONV_2D_PLANES_INT8_H
#define TE_DEPTHWISE_CONV_2D_PLANES_INT8_H

#include "planes.h"

/* Depthwise convolution with filters of any size, int8 data and weights.
 *
 * weights: [channels * depth_multiplier][filter_rows][filter_columns]
 * bias, multiplier, shift: one per output channel; bias has the input's zero point folded in;
 *   multiplier: [2^30, 2^31); shift: [1, 31], to the right
 * planes.pitch: at least (output_columns - 1) * stride_columns + (filter_columns - 1) * dilation_columns + 1
 * output_zero_point: [-128, 127]
 *
 * For every input: |sum| < 2^30. scratch: the plane. With a depth_multiplier of 1 the output may stand
 * exactly where the input stands: what is written has been read. */
typedef struct {
  te_planes planes;
  uint16_t filter_rows, filter_columns;
  uint8_t dilation_rows, dilation_columns;
  int16_t output_zero_point;
  int16_t output_min, output_max;
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  const uint8_t *shift;
} te_depthwise_conv_2d_planes_int8_params;

void te_depthwise_conv_2d_planes_int8(const te_depthwise_conv_2d_planes_int8_params *params,
                                      const int8_t *input, int8_t *output, void *scratch);

#endif
