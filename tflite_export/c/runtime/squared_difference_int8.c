#include "squared_difference_int8.h"

#include "fixed_point.h"

#define TE_NAME te_squared_difference_int8
#define TE_PARAMS te_squared_difference_int8_params
#define TE_INPUT int8_t
#define TE_OUTPUT int8_t

TE_INLINE int32_t element(const TE_PARAMS *p, int32_t a, int32_t b) {
  const int32_t unit = 1 << p->left_shift;
  const int32_t first = te_requantize((a - p->zero_point_1) * unit, p->multiplier_1, p->shift_1);
  const int32_t second = te_requantize((b - p->zero_point_2) * unit, p->multiplier_2, p->shift_2);
  const int32_t difference = first - second;
  const int32_t scaled = te_requantize(difference * difference, p->output_multiplier, p->output_shift);
  return te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
}

#include "broadcast_loops.h"
