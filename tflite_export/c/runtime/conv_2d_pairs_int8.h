#ifndef TE_CONV_2D_PAIRS_INT8_H
#define TE_CONV_2D_PAIRS_INT8_H

#include <stdint.h>

/* 2-D convolution, int8 data, weights of two output channels in each 16-bit number.
 *
 * input:  [batches][input_height][input_width][input_channels]
 * output: [batches][output_height][output_width][output_channels], output_pitch >= output_channels bytes
 *   from pixel to pixel
 * weights: [(output_channels + 1) / 2][groups][4], groups = (filter_height * filter_width * input_channels
 *   + 3) / 4. A number is 256 * (weight of the odd channel) + (weight of the even channel); the four of a
 *   group belong to taps 0, 2, 1, 3 of its four taps in the order [filter_height][filter_width]
 *   [input_channels]. Numbers beyond the last tap and the last channel are zero.
 * bias: [output_channels + 1 if odd], the input's zero point folded in
 * multiplier: like bias, [2^30, 2^31); shift: like bias, [1, 31], to the right
 * input_zero_point, output_zero_point: [-128, 127]
 *
 * For every input: |sum of products| < 2^23 without the bias, |sum| < 2^30 with it, and
 * |sum| * multiplier / 2^31 + |2 * output_zero_point + 1| * 2^(shift - 1) < 2^31.
 * scratch: TE_CONV_2D_PAIRS_INT8_SCRATCH(groups) bytes, aligned to 4. Padding counts as input_zero_point.
 * Every output pixel is written after the windows of the two pixels that follow it were read. */
typedef struct {
  uint16_t batches;
  uint16_t input_height, input_width, input_channels;
  uint16_t output_height, output_width, output_channels;
  uint16_t output_pitch;
  uint16_t filter_height, filter_width;
  uint8_t stride_height, stride_width;
  uint8_t dilation_height, dilation_width;
  int16_t pad_top, pad_left;
  int16_t input_zero_point, output_zero_point;
  int16_t output_min, output_max;
  uint16_t groups;
  const int16_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  const uint8_t *shift;
} te_conv_2d_pairs_int8_params;

#define TE_CONV_2D_PAIRS_INT8_SCRATCH(groups) \
  (28 * (groups) > 48 * (((groups) + 3) / 4) + 4 * (groups) ? 28 * (groups) : 48 * (((groups) + 3) / 4) + 4 * (groups))

void te_conv_2d_pairs_int8(const te_conv_2d_pairs_int8_params *params, const int8_t *input, int8_t *output,
                           void *scratch);

#endif
