#include "dequantize_int16.h"

void te_dequantize_int16(const te_dequantize_int16_params *p, const int16_t *input, float *output) {
  for (uint32_t i = p->count; i-- > 0;) {
    output[i] = p->scale * (float)(input[i] - p->zero_point);
  }
}
