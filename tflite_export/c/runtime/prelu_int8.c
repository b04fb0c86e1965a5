#include "prelu_int8.h"

#include "fixed_point.h"

#define TE_NAME te_prelu_int8
#define TE_PARAMS te_prelu_int8_params
#define TE_INPUT int8_t
#define TE_OUTPUT int8_t

TE_INLINE int32_t element(const TE_PARAMS *p, int32_t a, int32_t b) {
  const int32_t value = a - p->zero_point_1;
  int32_t scaled;
  if (value >= 0) {
    scaled = te_requantize(value, p->positive_multiplier, p->positive_shift);
  } else {
    scaled = te_requantize(value * (b - p->zero_point_2), p->negative_multiplier, p->negative_shift);
  }
  return te_clamp(scaled + p->output_zero_point, -128, 127);
}

#include "broadcast_loops.h"
