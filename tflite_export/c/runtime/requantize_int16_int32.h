#ifndef TE_REQUANTIZE_INT16_INT32_H
#define TE_REQUANTIZE_INT16_INT32_H

#include <stdint.h>

/* output = (input - input_zero_point) * multiplier * 2^(shift - 31) + output_zero_point, saturated.
 *
 * multiplier: 0 or [2^30, 2^31); shift: [-31, 31]
 * The last element comes first, so that the wider output may start where the input does. */
typedef struct {
  uint32_t count;
  int32_t input_zero_point, output_zero_point;
  int32_t multiplier;
  int8_t shift;
} te_requantize_int16_int32_params;

void te_requantize_int16_int32(const te_requantize_int16_int32_params *params, const int16_t *input,
                               int32_t *output);

#endif
