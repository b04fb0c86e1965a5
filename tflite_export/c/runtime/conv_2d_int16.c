#include "conv_2d_int16.h"

#include "requantize_64.h"

/* One output value: the window of one pixel against one filter. */
static int64_t window(const te_conv_2d_int16_params *p, const int16_t *input, const int8_t *weights, int top,
                      int left, int depth, int64_t sum) {
  for (int fy = 0; fy < p->filter_height; ++fy) {
    const int y = top + fy * p->dilation_height;
    for (int fx = 0; fx < p->filter_width; ++fx, weights += depth) {
      const int x = left + fx * p->dilation_width;
      if (y >= 0 && y < p->input_height && x >= 0 && x < p->input_width) {
        const int16_t *pixel = input + ((int32_t)y * p->input_width + x) * p->input_channels;
        for (int c = 0; c < depth; ++c) {
          sum += pixel[c] * weights[c];
        }
      }
    }
  }
  return sum;
}

void te_conv_2d_int16(const te_conv_2d_int16_params *p, const int16_t *input, int16_t *output) {
  const int depth = p->input_channels / p->groups;
  const int per_group = p->output_channels / p->groups;
  const int32_t filter_size = (int32_t)p->filter_height * p->filter_width * depth;
  for (int batch = 0; batch < p->batches; ++batch) {
    for (int oy = 0; oy < p->output_height; ++oy) {
      for (int ox = 0; ox < p->output_width; ++ox) {
        for (int channel = 0; channel < p->output_channels; ++channel) {
          const int64_t sum =
              window(p, input + channel / per_group * depth, p->weights + channel * filter_size,
                     oy * p->stride_height - p->pad_top, ox * p->stride_width - p->pad_left, depth,
                     p->bias[channel]);
          const int32_t multiplier = p->multiplier[channel];
          const int shift = p->shift[channel];
          const int32_t scaled = p->narrow ? te_requantize((int32_t)sum, multiplier, shift)
                                           : te_requantize_64(sum, multiplier, shift);
          *output++ = (int16_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
        }
      }
    }
    input += (int32_t)p->input_height * p->input_width * p->input_channels;
  }
}
