#include "sub_int8.h"

#include "fixed_point.h"

#define TE_NAME te_sub_int8
#define TE_PARAMS te_sub_int8_params
#define TE_INPUT int8_t
#define TE_OUTPUT int8_t

TE_INLINE int32_t element(const TE_PARAMS *p, int32_t a, int32_t b) {
  const int32_t first = te_requantize((a - p->zero_point_1) * (1 << 20), p->multiplier_1, p->shift_1);
  const int32_t second = te_requantize((b - p->zero_point_2) * (1 << 20), p->multiplier_2, p->shift_2);
  const int32_t total = te_requantize(first - second, p->output_multiplier, p->output_shift);
  return te_clamp(total + p->output_zero_point, p->output_min, p->output_max);
}

#include "broadcast_loops.h"
