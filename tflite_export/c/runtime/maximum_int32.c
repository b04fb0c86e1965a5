#include "maximum_int32.h"

#include "fixed_point.h"

#define TE_NAME te_maximum_int32
#define TE_PARAMS te_maximum_int32_params
#define TE_INPUT int32_t
#define TE_OUTPUT int32_t

TE_INLINE int32_t element(const TE_PARAMS *p, int32_t a, int32_t b) {
  (void)p;
  return te_max(a, b);
}

#include "broadcast_loops.h"
