#include "quantize_int16.h"

#include "rounding.h"

void te_quantize_int16(const te_quantize_int16_params *p, const float *input, int16_t *output) {
  for (uint32_t i = 0; i < p->count; ++i) {
    const int32_t value = te_round(input[i] / p->scale) + p->zero_point;
    output[i] = (int16_t)te_clamp(value, -32768, 32767);
  }
}
