#include "pad_int8.h"

static int8_t *fill(int8_t *output, const uint8_t *value, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; ++i) {
    *output++ = (int8_t)value[i & 3u];
  }
  return output;
}

void te_pad_int8(const te_pad_int8_params *p, const int8_t *input, int8_t *output) {
  const uint32_t width = p->before[4] + p->extent[4] + p->after[4];
  uint32_t at[4] = {0, 0, 0, 0};
  for (;;) {
    int inside = 1;
    for (int d = 0; d < 4; ++d) {
      inside &= at[d] >= p->before[d] && at[d] < p->before[d] + p->extent[d];
    }
    if (inside) {
      output = fill(output, p->value, p->before[4]);
      for (uint32_t i = 0; i < p->extent[4]; ++i) {
        *output++ = *input++;
      }
      output = fill(output, p->value, p->after[4]);
    } else {
      output = fill(output, p->value, width);
    }
    int d = 3;
    while (++at[d] == p->before[d] + p->extent[d] + p->after[d]) {
      at[d] = 0;
      if (d-- == 0) {
        return;
      }
    }
  }
}
