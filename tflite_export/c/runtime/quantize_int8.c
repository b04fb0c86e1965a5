#include "quantize_int8.h"

#include "rounding.h"

void te_quantize_int8(const te_quantize_int8_params *p, const float *input, int8_t *output) {
  for (uint32_t i = 0; i < p->count; ++i) {
    const int32_t value = te_round(input[i] / p->scale) + p->zero_point;
    output[i] = (int8_t)te_clamp(value, -128, 127);
  }
}
