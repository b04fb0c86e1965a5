#include "maximum_int16.h"

#include "fixed_point.h"

#define TE_NAME te_maximum_int16
#define TE_PARAMS te_maximum_int16_params
#define TE_INPUT int16_t
#define TE_OUTPUT int16_t

TE_INLINE int32_t element(const TE_PARAMS *p, int32_t a, int32_t b) {
  (void)p;
  return te_max(a, b);
}

#include "broadcast_loops.h"
