#include "requantize_int8_int32.h"

#include "fixed_point.h"

void te_requantize_int8_int32(const te_requantize_int8_int32_params *p, const int8_t *input, int32_t *output) {
  for (uint32_t i = p->count; i-- > 0;) {
    const int32_t value =
        te_requantize(input[i] - p->input_zero_point, p->multiplier, p->shift) + p->output_zero_point;
    output[i] = (int32_t)value;
  }
}
