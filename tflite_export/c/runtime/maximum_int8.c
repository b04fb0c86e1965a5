#include "maximum_int8.h"

#include "fixed_point.h"

#define TE_NAME te_maximum_int8
#define TE_PARAMS te_maximum_int8_params
#define TE_INPUT int8_t
#define TE_OUTPUT int8_t

TE_INLINE int32_t element(const TE_PARAMS *p, int32_t a, int32_t b) {
  (void)p;
  return te_max(a, b);
}

#include "broadcast_loops.h"
