#include "clamp_int16.h"

#include "fixed_point.h"

void te_clamp_int16(const te_clamp_int16_params *p, const int16_t *input, int16_t *output) {
  for (uint32_t i = 0; i < p->count; ++i) {
    output[i] = (int16_t)te_clamp(input[i], p->low, p->high);
  }
}
