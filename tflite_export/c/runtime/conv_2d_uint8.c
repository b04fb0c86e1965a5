#include "conv_2d_uint8.h"

#include "fixed_point.h"

/* One output value: the window of one pixel against one filter. */
static int32_t window(const te_conv_2d_uint8_params *p, const uint8_t *input, const uint8_t *weights, int top,
                      int left, int depth, int32_t sum) {
  for (int fy = 0; fy < p->filter_height; ++fy) {
    const int y = top + fy * p->dilation_height;
    for (int fx = 0; fx < p->filter_width; ++fx, weights += depth) {
      const int x = left + fx * p->dilation_width;
      if (y >= 0 && y < p->input_height && x >= 0 && x < p->input_width) {
        const uint8_t *pixel = input + ((int32_t)y * p->input_width + x) * p->input_channels;
        for (int c = 0; c < depth; ++c) {
          sum += (pixel[c] - p->input_zero_point) * (weights[c] - p->weights_zero_point);
        }
      }
    }
  }
  return sum;
}

void te_conv_2d_uint8(const te_conv_2d_uint8_params *p, const uint8_t *input, uint8_t *output) {
  const int depth = p->input_channels / p->groups;
  const int per_group = p->output_channels / p->groups;
  const int32_t filter_size = (int32_t)p->filter_height * p->filter_width * depth;
  for (int batch = 0; batch < p->batches; ++batch) {
    for (int oy = 0; oy < p->output_height; ++oy) {
      for (int ox = 0; ox < p->output_width; ++ox) {
        for (int channel = 0; channel < p->output_channels; ++channel) {
          const int32_t sum =
              window(p, input + channel / per_group * depth, p->weights + channel * filter_size,
                     oy * p->stride_height - p->pad_top, ox * p->stride_width - p->pad_left, depth,
                     p->bias[channel]);
          const int32_t scaled = te_requantize(sum, p->multiplier, p->shift);
          *output++ = (uint8_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
        }
      }
    }
    input += (int32_t)p->input_height * p->input_width * p->input_channels;
  }
}
