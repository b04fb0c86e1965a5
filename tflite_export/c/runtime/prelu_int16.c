#include "prelu_int16.h"

#include "fixed_point.h"

#define TE_NAME te_prelu_int16
#define TE_PARAMS te_prelu_int16_params
#define TE_INPUT int16_t
#define TE_INPUT_2 int8_t
#define TE_OUTPUT int16_t

TE_INLINE int32_t element(const TE_PARAMS *p, int32_t a, int32_t b) {
  const int32_t value = a - p->zero_point_1;
  int32_t scaled;
  if (value >= 0) {
    scaled = te_requantize(value, p->positive_multiplier, p->positive_shift);
  } else {
    scaled = te_requantize(value * (b - p->zero_point_2), p->negative_multiplier, p->negative_shift);
  }
  return te_clamp(scaled + p->output_zero_point, -32768, 32767);
}

#include "broadcast_loops.h"
