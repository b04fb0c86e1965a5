#include "softmax_int8.h"

#include "reciprocal.h"

#define TE_NAME te_softmax_int8
#define TE_PARAMS te_softmax_int8_params
#define TE_INPUT int8_t
#define TE_OUTPUT int8_t
#define TE_BITS 8
#define TE_LEAST (-128)
#define TE_LOW (-128)
#define TE_HIGH 127

#include "softmax_rows.h"
