#include "leaky_relu_int16.h"

#include "fixed_point.h"

void te_leaky_relu_int16(const te_leaky_relu_int16_params *p, const int16_t *input, int16_t *output) {
  for (uint32_t i = 0; i < p->count; ++i) {
    const int32_t value = input[i] - p->input_zero_point;
    int32_t scaled;
    if (value >= 0) {
      scaled = te_requantize(value, p->positive_multiplier, p->positive_shift);
    } else if (p->negative_multiplier >= 0) {
      scaled = te_requantize(value, p->negative_multiplier, p->negative_shift);
    } else {
      scaled = -te_requantize(value, -p->negative_multiplier, p->negative_shift);
    }
    output[i] = (int16_t)te_clamp(scaled + p->output_zero_point, -32768, 32767);
  }
}
