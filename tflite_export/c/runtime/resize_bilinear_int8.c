#include "resize_bilinear_int8.h"

#define ONE 1024

/* One pixel: `a` and `b` are the two lines, `column` says which pixels of them. */
static void pixel(const int8_t *a, const int8_t *b, int32_t down, const int16_t *column, int channels,
                  int8_t *output) {
  const int32_t right = column[2];
  const int32_t low = column[0] * channels, high = column[1] * channels;
  for (int c = 0; c < channels; ++c) {
    const int32_t sum = a[low + c] * (ONE - down) * (ONE - right) + b[low + c] * down * (ONE - right) +
                        a[high + c] * (ONE - down) * right + b[high + c] * down * right;
    const int32_t half = sum > 0 ? ONE * ONE / 2 : -(ONE * ONE / 2);
    output[c] = (int8_t)((sum + half) / (ONE * ONE));
  }
}

void te_resize_bilinear_int8(const te_resize_bilinear_int8_params *p, const int8_t *input, int8_t *output) {
  const int32_t line_size = (int32_t)p->input_width * p->channels;
  for (int batch = 0; batch < p->batches; ++batch, input += p->input_height * line_size) {
    for (int y = 0; y < p->output_height; ++y) {
      const int16_t *row = p->rows + 3 * y;
      for (int x = 0; x < p->output_width; ++x, output += p->channels) {
        pixel(input + row[0] * line_size, input + row[1] * line_size, row[2], p->columns + 3 * x, p->channels,
              output);
      }
    }
  }
}
