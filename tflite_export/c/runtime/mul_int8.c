#include "mul_int8.h"

#include "fixed_point.h"

#define TE_NAME te_mul_int8
#define TE_PARAMS te_mul_int8_params
#define TE_INPUT int8_t
#define TE_OUTPUT int8_t

TE_INLINE int32_t element(const TE_PARAMS *p, int32_t a, int32_t b) {
  const int32_t product = (a - p->zero_point_1) * (b - p->zero_point_2);
  const int32_t scaled = te_requantize(product, p->output_multiplier, p->output_shift);
  return te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
}

#include "broadcast_loops.h"
