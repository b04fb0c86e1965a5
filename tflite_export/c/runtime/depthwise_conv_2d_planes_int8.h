#ifndef TE_DEPTHWISE_CONV_2D_PLANES_INT8_H
#define TE_DEPTHWISE_CONV_2D_PLANES_INT8_H

#include <stdint.h>

/* Depthwise convolution, int8 data and weights, one channel's plane after the other.
 *
 * input:  [input_rows][input_columns][channels], or [input_columns][input_rows][channels] where transposed
 * output: [output_rows][output_columns][channels * multiplier], or likewise transposed
 * weights: [channels * depth_multiplier][filter_rows][filter_columns]
 * bias, multiplier, shift: one per output channel; bias has the input's zero point folded in;
 *   multiplier: [2^30, 2^31); shift: [1, 31], to the right
 * pitch: elements of a row of the plane, even, at least what the last pair of columns reads
 * plane_rows: rows of the plane, those of padding included
 * input_zero_point, output_zero_point: [-128, 127]
 *
 * For every input: |sum| < 2^30 and |sum| * multiplier / 2^31 + |2 * output_zero_point + 1| * 2^(shift - 1)
 * < 2^31. scratch: 2 * pitch * plane_rows bytes, aligned to 4. Padding counts as input_zero_point.
 * With a depth_multiplier of 1 the output may stand exactly where the input stands: a channel is read before
 * it is written. */
typedef struct {
  uint8_t transposed;
  uint16_t channels, depth_multiplier;
  uint16_t input_rows, input_columns;
  uint16_t output_rows, output_columns;
  uint16_t filter_rows, filter_columns;
  uint8_t stride_rows, stride_columns;
  uint8_t dilation_rows, dilation_columns;
  uint16_t pad_rows, pad_columns;
  uint16_t pitch, plane_rows;
  int16_t input_zero_point, output_zero_point;
  int16_t output_min, output_max;
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  const uint8_t *shift;
} te_depthwise_conv_2d_planes_int8_params;

void te_depthwise_conv_2d_planes_int8(const te_depthwise_conv_2d_planes_int8_params *params,
                                      const int8_t *input, int8_t *output, void *scratch);

#endif
