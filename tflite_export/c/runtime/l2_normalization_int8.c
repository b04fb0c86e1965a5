#include "l2_normalization_int8.h"

#include "inverse_sqrt.h"

void te_l2_normalization_int8(const te_l2_normalization_int8_params *p, const int8_t *input, int8_t *output) {
  for (uint32_t row = 0; row < p->rows; ++row, input += p->depth, output += p->depth) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < p->depth; ++i) {
      const int32_t value = input[i] - p->input_zero_point;
      sum += value * value;
    }
    int shift;
    const int32_t factor = te_inverse_sqrt(sum, &shift);
    for (uint32_t i = 0; i < p->depth; ++i) {
      const int32_t value = te_requantize(input[i] - p->input_zero_point, factor, shift + 7);
      output[i] = (int8_t)te_clamp(value, -128, 127);
    }
  }
}
