#ifndef TE_AVERAGE_POOL_2D_INT16_H
#define TE_AVERAGE_POOL_2D_INT16_H

#include <stdint.h>

/* Average over a window, int16; padding does not take part.
 *
 * input:  [batches][input_height][input_width][channels]
 * output: [batches][output_height][output_width][channels], same scale and zero point */
typedef struct {
  int16_t batches;
  int16_t input_height, input_width, channels;
  int16_t output_height, output_width;
  int16_t filter_height, filter_width;
  int16_t stride_height, stride_width;
  int16_t pad_top, pad_left;
  int16_t output_min, output_max;
} te_average_pool_2d_int16_params;

void te_average_pool_2d_int16(const te_average_pool_2d_int16_params *params, const int16_t *input, int16_t *output);

#endif
