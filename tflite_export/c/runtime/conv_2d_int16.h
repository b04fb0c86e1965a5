#ifndef TE_CONV_2D_INT16_H
#define TE_CONV_2D_INT16_H

#include <stdint.h>

/* 2-D convolution, int16 data with zero point 0, int8 weights, one multiplier per output channel. It also
 * serves depthwise convolutions (groups = input_channels) and matrix products (rows as pixels).
 *
 * input:  [batches][input_height][input_width][input_channels]
 * output: [batches][output_height][output_width][output_channels]
 * weights: [output_channels][filter_height][filter_width][input_channels / groups]
 * bias, multiplier, shift: [output_channels]; multiplier: 0 or [2^30, 2^31)
 * shift: [-31, 7], or [-31, 31] where narrow
 * narrow: whether the bias was 32 bits wide, so that sums fit 32 bits and are scaled as such */
typedef struct {
  uint16_t batches;
  uint16_t input_height, input_width, input_channels;
  uint16_t output_height, output_width, output_channels;
  uint16_t filter_height, filter_width;
  uint16_t groups;
  uint8_t stride_height, stride_width;
  uint8_t dilation_height, dilation_width;
  uint8_t narrow;
  int16_t pad_top, pad_left;
  int16_t output_zero_point;
  int16_t output_min, output_max;
  const int8_t *weights;
  const int64_t *bias;
  const int32_t *multiplier;
  const int8_t *shift;
} te_conv_2d_int16_params;

void te_conv_2d_int16(const te_conv_2d_int16_params *params, const int16_t *input, int16_t *output);

#endif
