#include "sum_int16.h"

#include "fixed_point.h"

#define TE_NAME te_sum_int16
#define TE_PARAMS te_sum_int16_params
#define TE_TYPE int16_t
#define TE_START 0

TE_INLINE int32_t fold(int32_t sum, int32_t value) { return sum + value; }

TE_INLINE int32_t finish(const TE_PARAMS *p, int32_t sum) {
  const int32_t scaled = te_requantize(sum - p->zero_points, p->multiplier, p->shift);
  return te_clamp(scaled + p->output_zero_point, -32768, 32767);
}

#include "reduce_loops.h"
