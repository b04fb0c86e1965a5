#ifndef TE_QUANTIZE_INT8_H
#define TE_QUANTIZE_INT8_H

#include <stdint.h>

/* output = round(input / scale) + zero_point, halves away from zero, saturated; NaN counts as 0. */
typedef struct {
  uint32_t count;
  float scale;
  int32_t zero_point;
} te_quantize_int8_params;

void te_quantize_int8(const te_quantize_int8_params *params, const float *input, int8_t *output);

#endif
