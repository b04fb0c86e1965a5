#ifndef TE_AVERAGE_POOL_2D_UINT8_H
#define TE_AVERAGE_POOL_2D_UINT8_H

#include <stdint.h>

/* Average over a window, uint8; padding does not take part.
 *
 * input:  [batches][input_height][input_width][channels]
 * output: [batches][output_height][output_width][channels], same scale and zero point */
typedef struct {
  uint16_t batches;
  uint16_t input_height, input_width, channels;
  uint16_t output_height, output_width;
  uint16_t filter_height, filter_width;
  uint8_t stride_height, stride_width;
  int16_t pad_top, pad_left;
  int16_t output_min, output_max;
} te_average_pool_2d_uint8_params;

void te_average_pool_2d_uint8(const te_average_pool_2d_uint8_params *params, const uint8_t *input, uint8_t *output);

#endif
