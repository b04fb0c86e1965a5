#include "softmax_int16.h"

#include "fixed_point.h"

/* Interpolates between two of 513 values; value: [-32768, 32767]. */
static int32_t look_up(int32_t value, const int16_t *table) {
  const int16_t *at = table + 256 + (value >> 7);
  return at[0] + (((at[1] - at[0]) * (value & 127) + 64) >> 7);
}

void te_softmax_int16(const te_softmax_int16_params *p, const int16_t *input, int16_t *output) {
  for (uint32_t row = 0; row < p->rows; ++row, input += p->depth, output += p->depth) {
    int32_t largest = -32768;
    for (uint32_t i = 0; i < p->depth; ++i) {
      largest = te_max(largest, input[i]);
    }
    int32_t sum = 0; /* Q16.15 */
    for (uint32_t i = 0; i < p->depth; ++i) {
      const int32_t distance = te_requantize(input[i] - largest, p->multiplier, p->shift);
      output[i] = (int16_t)look_up(te_clamp(distance + 32767, -32768, 32767), p->exps);
      sum += output[i];
    }
    const int zeros = te_leading_zeros((uint32_t)sum);
    const int32_t shifted = (int32_t)((((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14);
    const int32_t scale = look_up(te_clamp(shifted - 98304, -32768, 32767), p->reciprocals);
    const int right = 31 - zeros;
    for (uint32_t i = 0; i < p->depth; ++i) {
      const int64_t value = ((int64_t)output[i] * scale + ((int64_t)1 << (right - 1))) >> right;
      output[i] = (int16_t)te_clamp((int32_t)value, 0, 32767);
    }
  }
}
