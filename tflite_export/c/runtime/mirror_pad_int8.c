#include "mirror_pad_int8.h"

void te_mirror_pad_int8(const te_mirror_pad_int8_params *p, const int8_t *input, int8_t *output) {
  for (uint32_t i = 0; i < p->extent[0]; ++i) {
    for (uint32_t j = 0; j < p->extent[1]; ++j) {
      for (uint32_t k = 0; k < p->extent[2]; ++k) {
        const int8_t *line = input + p->source[0][i] + p->source[1][j] + p->source[2][k];
        for (uint32_t m = 0; m < p->extent[3]; ++m) {
          const int8_t *from = line + p->source[3][m];
          for (uint32_t byte = 0; byte < p->unit; ++byte) {
            *output++ = from[byte];
          }
        }
      }
    }
  }
}
