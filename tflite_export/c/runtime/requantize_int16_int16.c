#include "requantize_int16_int16.h"

#include "fixed_point.h"

void te_requantize_int16_int16(const te_requantize_int16_int16_params *p, const int16_t *input, int16_t *output) {
  for (uint32_t i = 0; i < p->count; ++i) {
    const int32_t value =
        te_requantize(input[i] - p->input_zero_point, p->multiplier, p->shift) + p->output_zero_point;
    output[i] = (int16_t)te_clamp(value, -32768, 32767);
  }
}
