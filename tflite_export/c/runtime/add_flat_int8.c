#include "add_flat_int8.h"

#include "arm_dsp.h"
#include "fixed_point.h"

void te_add_flat_int8(const te_add_flat_int8_params *p, const int8_t *wide, const int8_t *narrow,
                      int8_t *output) {
  const int32_t wide_offset = p->wide_offset, narrow_offset = p->narrow_offset;
  const int32_t narrow_multiplier = p->narrow_multiplier, output_multiplier = p->output_multiplier;
  const int narrow_shift = p->narrow_shift, output_shift = p->output_shift;
  const int8_t *const end = output + p->count;
#if defined(TE_ARM_DSP)
  const int32_t narrow_rounding = (int32_t)1 << (narrow_shift - 1);
  const int32_t output_rounding = (2 * p->output_zero_point + 1) * ((int32_t)1 << (output_shift - 1));
  if (p->output_min == -128 && p->output_max == 127) {
    while (output != end) {
      const int32_t twice = *narrow++ * (1 << 21) + narrow_offset;
      const int32_t sum = (te_high_mac(twice, narrow_multiplier, narrow_rounding + (twice >> 31)) >> narrow_shift) +
                          *wide++ * (1 << 19) + wide_offset;
      *output++ = te_scaled_byte(2 * sum, output_multiplier, output_rounding, output_shift);
    }
    return;
  }
#endif
  const int32_t zero_point = p->output_zero_point, lowest = p->output_min, highest = p->output_max;
  while (output != end) {
    const int32_t first = *wide++ * (1 << 19) + wide_offset;
    const int32_t second =
        te_requantize_right(*narrow++ * (1 << 20) + narrow_offset / 2, narrow_multiplier, narrow_shift);
    const int32_t sum = te_requantize_right(first + second, output_multiplier, output_shift);
    *output++ = (int8_t)te_clamp(sum + zero_point, lowest, highest);
  }
}
