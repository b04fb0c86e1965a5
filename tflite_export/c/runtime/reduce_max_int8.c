#include "reduce_max_int8.h"

#include "fixed_point.h"

#define TE_NAME te_reduce_max_int8
#define TE_PARAMS te_reduce_max_int8_params
#define TE_TYPE int8_t
#define TE_START (-128)

TE_INLINE int32_t fold(int32_t max, int32_t value) { return te_max(max, value); }

TE_INLINE int32_t finish(const TE_PARAMS *p, int32_t max) {
  (void)p;
  return max;
}

#include "reduce_loops.h"
