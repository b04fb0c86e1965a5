#include "arg_max_int8.h"

void te_arg_max_int8(const te_arg_max_int8_params *p, const int8_t *input, int32_t *output) {
  for (uint32_t outer = 0; outer < p->outer; ++outer, input += p->size * p->inner) {
    for (uint32_t inner = 0; inner < p->inner; ++inner) {
      const int8_t *values = input + inner;
      uint32_t best = 0;
      for (uint32_t i = 1; i < p->size; ++i) {
        if (values[i * p->inner] > values[best * p->inner]) {
          best = i;
        }
      }
      *output++ = (int32_t)best;
    }
  }
}
