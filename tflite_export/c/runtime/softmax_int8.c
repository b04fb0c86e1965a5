#include "softmax_int8.h"

#include "reciprocal.h"

void te_softmax_int8(const te_softmax_int8_params *p, const int8_t *input, int8_t *output) {
  for (uint32_t row = 0; row < p->rows; ++row, input += p->depth, output += p->depth) {
    int32_t largest = -128;
    for (uint32_t i = 0; i < p->depth; ++i) {
      largest = te_max(largest, input[i]);
    }
    int32_t sum = 0; /* Q12.19 */
    for (uint32_t i = 0; i < p->depth; ++i) {
      const int32_t distance = largest - input[i];
      if (distance < p->exps_count) {
        sum += te_shift_right(p->exps[distance], 12);
      }
    }
    int exponent;
    const int32_t scale = te_reciprocal(sum, 12, &exponent);
    exponent += 31 - 8;
    for (uint32_t i = 0; i < p->depth; ++i) {
      const int32_t distance = largest - input[i];
      int32_t value = -128;
      if (distance < p->exps_count) {
        value += te_shift_right(te_high_mul(scale, p->exps[distance]), exponent);
      }
      output[i] = (int8_t)te_min(value, 127);
    }
  }
}
