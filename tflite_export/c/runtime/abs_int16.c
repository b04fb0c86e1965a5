#include "abs_int16.h"

#include "fixed_point.h"

void te_abs_int16(const te_abs_int16_params *p, const int16_t *input, int16_t *output) {
  for (uint32_t i = 0; i < p->count; ++i) {
    const int32_t value = input[i] - p->input_zero_point;
    const int32_t scaled = te_requantize(value < 0 ? -value : value, p->multiplier, p->shift);
    output[i] = (int16_t)te_clamp(scaled + p->output_zero_point, -32768, 32767);
  }
}
