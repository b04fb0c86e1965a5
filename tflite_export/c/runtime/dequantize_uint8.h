#ifndef TE_DEQUANTIZE_UINT8_H
#define TE_DEQUANTIZE_UINT8_H

#include <stdint.h>

/* output = scale * (input - zero_point)
 * The last element comes first, so that the wider output may start where the input does. */
typedef struct {
  uint32_t count;
  float scale;
  int32_t zero_point;
} te_dequantize_uint8_params;

void te_dequantize_uint8(const te_dequantize_uint8_params *params, const uint8_t *input, float *output);

#endif
