#ifndef TE_ADD_FLAT_INT8_H
#define TE_ADD_FLAT_INT8_H

#include <stdint.h>

/* Sum of two arrays of one shape, int8.
 *
 * wide is the input of the greater scale: it counts (wide - zero) * 2^19. narrow counts
 * (narrow - zero) * 2^20 * narrow_multiplier / 2^31 / 2^narrow_shift, and their sum is multiplied by
 * output_multiplier / 2^31 / 2^output_shift; each product and each shift rounds.
 *
 * wide_offset: -zero point of wide * 2^19; narrow_offset: -zero point of narrow * 2^21
 * multipliers: [2^30, 2^31); shifts: [1, 30]; the output's multiplier and shift keep
 * 2^28 * output_multiplier / 2^31 + |2 * output_zero_point + 1| * 2^(output_shift - 1) below 2^31
 * output_zero_point: [-128, 127] */
typedef struct {
  uint32_t count;
  int32_t wide_offset, narrow_offset;
  int32_t narrow_multiplier, output_multiplier;
  uint8_t narrow_shift, output_shift;
  int16_t output_zero_point;
  int16_t output_min, output_max;
} te_add_flat_int8_params;

void te_add_flat_int8(const te_add_flat_int8_params *params, const int8_t *wide, const int8_t *narrow,
                      int8_t *output);

#endif
