#ifndef TE_QUANTIZE_INT16_H
#define TE_QUANTIZE_INT16_H

#include <stdint.h>

/* output = round(input / scale) + zero_point, halves away from zero, saturated; NaN counts as 0. */
typedef struct {
  uint32_t count;
  float scale;
  int32_t zero_point;
} te_quantize_int16_params;

void te_quantize_int16(const te_quantize_int16_params *params, const float *input, int16_t *output);

#endif
