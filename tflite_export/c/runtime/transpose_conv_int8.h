#ifndef TE_TRANSPOSE_CONV_INT8_H
#define TE_TRANSPOSE_CONV_INT8_H

#include <stdint.h>

/* Transposed convolution, int8 data, int8 weights, one multiplier per output channel.
 *
 * input:  [batches][input_height][input_width][input_channels]
 * output: [batches][output_height][output_width][output_channels]
 * weights: [output_channels][filter_height][filter_width][input_channels]
 * bias, multiplier, shift: [output_channels]; multiplier: 0 or [2^30, 2^31); shift: [-31, 31] */
typedef struct {
  uint16_t batches;
  uint16_t input_height, input_width, input_channels;
  uint16_t output_height, output_width, output_channels;
  uint16_t filter_height, filter_width;
  uint8_t stride_height, stride_width;
  int16_t pad_top, pad_left;
  int16_t input_zero_point, output_zero_point;
  int16_t output_min, output_max;
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  const int8_t *shift;
} te_transpose_conv_int8_params;

void te_transpose_conv_int8(const te_transpose_conv_int8_params *params, const int8_t *input, int8_t *output);

#endif
