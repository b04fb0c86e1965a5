#ifndef TE_CONV_2D_UINT8_H
#define TE_CONV_2D_UINT8_H

#include <stdint.h>

/* 2-D convolution as legacy files have it: uint8 data and weights, both with a zero point. It also serves
 * depthwise convolutions (groups = input_channels) and matrix products (rows as pixels).
 *
 * input:  [batches][input_height][input_width][input_channels]
 * output: [batches][output_height][output_width][output_channels]
 * weights: [output_channels][filter_height][filter_width][input_channels / groups]
 * bias: [output_channels]; multiplier: 0 or [2^30, 2^31); shift: [-31, 31]; one of each for all channels
 * *_zero_point: [0, 255] */
typedef struct {
  uint16_t batches;
  uint16_t input_height, input_width, input_channels;
  uint16_t output_height, output_width, output_channels;
  uint16_t filter_height, filter_width;
  uint16_t groups;
  uint8_t stride_height, stride_width;
  uint8_t dilation_height, dilation_width;
  int16_t pad_top, pad_left;
  int16_t input_zero_point, weights_zero_point, output_zero_point;
  int16_t output_min, output_max;
  int8_t shift;
  int32_t multiplier;
  const uint8_t *weights;
  const int32_t *bias;
} te_conv_2d_uint8_params;

void te_conv_2d_uint8(const te_conv_2d_uint8_params *params, const uint8_t *input, uint8_t *output);

#endif
