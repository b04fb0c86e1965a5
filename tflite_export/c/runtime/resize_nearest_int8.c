#include "resize_nearest_int8.h"

void te_resize_nearest_int8(const te_resize_nearest_int8_params *p, const int8_t *input, int8_t *output) {
  const uint32_t line_bytes = p->input_width * p->pixel;
  for (uint32_t batch = 0; batch < p->batches; ++batch, input += p->input_height * line_bytes) {
    for (uint32_t y = 0; y < p->output_height; ++y) {
      const int8_t *line = input + p->rows[y] * line_bytes;
      for (uint32_t x = 0; x < p->output_width; ++x) {
        const int8_t *pixel = line + p->columns[x] * p->pixel;
        for (uint32_t byte = 0; byte < p->pixel; ++byte) {
          *output++ = pixel[byte];
        }
      }
    }
  }
}
