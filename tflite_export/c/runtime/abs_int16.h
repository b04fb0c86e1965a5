#ifndef TE_ABS_INT16_H
#define TE_ABS_INT16_H

#include <stdint.h>

/* output = rescaled magnitude of the input, int16.
 *
 * multiplier: 0 or [2^30, 2^31); shift: [-31, 15] */
typedef struct {
  uint32_t count;
  int16_t input_zero_point, output_zero_point;
  int32_t multiplier;
  int8_t shift;
} te_abs_int16_params;

void te_abs_int16(const te_abs_int16_params *params, const int16_t *input, int16_t *output);

#endif
