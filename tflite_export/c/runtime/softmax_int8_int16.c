#include "softmax_int8_int16.h"

#include "reciprocal.h"

#define TE_NAME te_softmax_int8_int16
#define TE_PARAMS te_softmax_int8_int16_params
#define TE_INPUT int8_t
#define TE_OUTPUT int16_t
#define TE_BITS 16
#define TE_LEAST (-128)
#define TE_LOW (-32768)
#define TE_HIGH 32767

#include "softmax_rows.h"
