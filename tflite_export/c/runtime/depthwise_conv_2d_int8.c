#include "depthwise_conv_2d_int8.h"

#include "fixed_point.h"

/* One output value: the window of one pixel in one input channel against one filter. */
static int32_t window(const te_depthwise_conv_2d_int8_params *p, const int8_t *input, const int8_t *weights,
                      int top, int left, int32_t sum) {
  const int step = p->input_channels * p->depth_multiplier;
  for (int fy = 0; fy < p->filter_height; ++fy) {
    const int y = top + fy * p->dilation_height;
    for (int fx = 0; fx < p->filter_width; ++fx, weights += step) {
      const int x = left + fx * p->dilation_width;
      if (y >= 0 && y < p->input_height && x >= 0 && x < p->input_width) {
        sum += input[((int32_t)y * p->input_width + x) * p->input_channels] * *weights;
      } else {
        sum += p->input_zero_point * *weights;
      }
    }
  }
  return sum;
}

void te_depthwise_conv_2d_int8(const te_depthwise_conv_2d_int8_params *p, const int8_t *input,
                               int8_t *output) {
  for (int batch = 0; batch < p->batches; ++batch) {
    for (int oy = 0; oy < p->output_height; ++oy) {
      for (int ox = 0; ox < p->output_width; ++ox) {
        int channel = 0;
        for (int c = 0; c < p->input_channels; ++c) {
          for (int m = 0; m < p->depth_multiplier; ++m, ++channel) {
            const int32_t sum = window(p, input + c, p->weights + channel,
                                       oy * p->stride_height - p->pad_top,
                                       ox * p->stride_width - p->pad_left, p->bias[channel]);
            const int32_t scaled = te_requantize(sum, p->multiplier[channel], p->shift[channel]);
            *output++ = (int8_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
          }
        }
      }
    }
    input += (int32_t)p->input_height * p->input_width * p->input_channels;
  }
}
