#include "log_softmax_int8.h"

#include "logarithm.h"

void te_log_softmax_int8(const te_log_softmax_int8_params *p, const int8_t *input, int8_t *output) {
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
    const int32_t log_sum = te_log_q12(sum);
    const int32_t lowest =
        te_max(-p->farthest - 1, te_requantize(log_sum + INT32_MIN, p->inverse_multiplier, p->inverse_shift));
    for (uint32_t i = 0; i < p->depth; ++i) {
      const int32_t difference = input[i] - largest;
      int32_t value = -128;
      if (difference > lowest) {
        value = te_shift_right(te_requantize(difference, p->multiplier, p->shift) - log_sum, 22) + 127;
      }
      output[i] = (int8_t)te_clamp(value, -128, 127);
    }
  }
}
