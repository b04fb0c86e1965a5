#include "dequantize_int8.h"

void te_dequantize_int8(const te_dequantize_int8_params *p, const int8_t *input, float *output) {
  for (uint32_t i = p->count; i-- > 0;) {
    output[i] = p->scale * (float)(input[i] - p->zero_point);
  }
}
