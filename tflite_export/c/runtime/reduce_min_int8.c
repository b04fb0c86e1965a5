#include "reduce_min_int8.h"

#include "fixed_point.h"

#define TE_NAME te_reduce_min_int8
#define TE_PARAMS te_reduce_min_int8_params
#define TE_TYPE int8_t
#define TE_START (127)

TE_INLINE int32_t fold(int32_t min, int32_t value) { return te_min(min, value); }

TE_INLINE int32_t finish(const TE_PARAMS *p, int32_t min) {
  (void)p;
  return min;
}

#include "reduce_loops.h"
