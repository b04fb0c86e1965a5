#include "gather_int8.h"

#include "fixed_point.h"

void te_gather_int8(const te_gather_int8_params *p, const int8_t *input, const int32_t *indices,
                    int8_t *output) {
  for (uint32_t batch = 0; batch < p->batches; ++batch, indices += p->count) {
    for (uint32_t outer = 0; outer < p->outer; ++outer, input += p->axis_size * p->inner) {
      for (uint32_t i = 0; i < p->count; ++i) {
        const uint32_t index = (uint32_t)te_clamp(indices[i], 0, (int32_t)p->axis_size - 1);
        const int8_t *slice = input + index * p->inner;
        for (uint32_t byte = 0; byte < p->inner; ++byte) {
          *output++ = slice[byte];
        }
      }
    }
  }
}
