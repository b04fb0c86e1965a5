#ifndef TE_DEQUANTIZE_INT8_H
#define TE_DEQUANTIZE_INT8_H

#include <stdint.h>

/* output = scale * (input - zero_point) */
typedef struct {
  uint32_t count;
  float scale;
  int32_t zero_point;
} te_dequantize_int8_params;

void te_dequantize_int8(const te_dequantize_int8_params *params, const int8_t *input, float *output);

#endif
