#include "transpose_conv_int16.h"

#include "requantize_64.h"

/* One output value: the taps that reach pixel (y, x), counted from the padded corner. */
static int64_t taps(const te_transpose_conv_int16_params *p, const int16_t *input, const int8_t *weights, int y, int x,
               int64_t sum) {
  for (int fy = 0; fy < p->filter_height && fy <= y; ++fy) {
    const int iy = (y - fy) / p->stride_height;
    if ((y - fy) % p->stride_height || iy >= p->input_height) {
      continue;
    }
    for (int fx = 0; fx < p->filter_width && fx <= x; ++fx) {
      const int ix = (x - fx) / p->stride_width;
      if ((x - fx) % p->stride_width || ix >= p->input_width) {
        continue;
      }
      const int16_t *pixel = input + ((int32_t)iy * p->input_width + ix) * p->input_channels;
      const int8_t *tap = weights + ((int32_t)fy * p->filter_width + fx) * p->input_channels;
      for (int c = 0; c < p->input_channels; ++c) {
        sum += (pixel[c] - p->input_zero_point) * tap[c];
      }
    }
  }
  return sum;
}

void te_transpose_conv_int16(const te_transpose_conv_int16_params *p, const int16_t *input, int16_t *output) {
  const int32_t filter_size = (int32_t)p->filter_height * p->filter_width * p->input_channels;
  for (int batch = 0; batch < p->batches; ++batch) {
    for (int y = 0; y < p->output_height; ++y) {
      for (int x = 0; x < p->output_width; ++x) {
        for (int c = 0; c < p->output_channels; ++c) {
          const int64_t sum =
              taps(p, input, p->weights + c * filter_size, y + p->pad_top, x + p->pad_left, p->bias[c]);
          const int32_t scaled = te_requantize_64(sum, p->multiplier[c], p->shift[c]);
          *output++ = (int16_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
        }
      }
    }
    input += (int32_t)p->input_height * p->input_width * p->input_channels;
  }
}
