#ifndef TE_CONV_2D_INT8_H
#define TE_CONV_2D_INT8_H

#include <stdint.h>

/* 2-D convolution, int8 data and weights, one multiplier per output channel.
 *
 * input:  [batches][input_height][input_width][input_channels]
 * output: [batches][output_height][output_width][output_channels]
 * weights: [output_channels][filter_height][filter_width][input_channels / groups]
 * bias: [output_channels], the input's zero point folded in: bias - input_zero_point * sum(weights)
 * multiplier: [output_channels], 0 or [2^30, 2^31); shift: [output_channels], [-31, 31]
 * input_zero_point, output_zero_point: [-128, 127]
 *
 * Padding counts as input_zero_point. The accumulator must fit 32 bits. */
typedef struct {
  uint16_t batches;
  uint16_t input_height, input_width, input_channels;
  uint16_t output_height, output_width, output_channels;
  uint16_t filter_height, filter_width;
  uint16_t groups;
  uint8_t stride_height, stride_width;
  uint8_t dilation_height, dilation_width;
  int16_t pad_top, pad_left;
  int16_t input_zero_point, output_zero_point;
  int16_t output_min, output_max;
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  const int8_t *shift;
} te_conv_2d_int8_params;

void te_conv_2d_int8(const te_conv_2d_int8_params *params, const int8_t *input, int8_t *output);

#endif
