#include "softmax_tableless_int8.h"

#include "exponential.h"
#include "reciprocal.h"

static int32_t te_exp_at(const te_softmax_tableless_int8_params *p, int32_t distance) {
  return te_exp_on_negative(te_high_mul(-(int32_t)((uint32_t)distance << p->shift), p->multiplier));
}

#define TE_NAME te_softmax_tableless_int8
#define TE_PARAMS te_softmax_tableless_int8_params
#define TE_INPUT int8_t
#define TE_OUTPUT int8_t
#define TE_BITS 8
#define TE_LEAST (-128)
#define TE_LOW (-128)
#define TE_HIGH 127
#define TE_EXP te_exp_at

#include "softmax_rows.h"
