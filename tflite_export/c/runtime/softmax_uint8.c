#include "softmax_uint8.h"

#include "reciprocal.h"

#define TE_NAME te_softmax_uint8
#define TE_PARAMS te_softmax_uint8_params
#define TE_INPUT uint8_t
#define TE_OUTPUT uint8_t
#define TE_BITS 8
#define TE_LEAST (0)
#define TE_LOW (0)
#define TE_HIGH 255

#include "softmax_rows.h"
