#ifndef TE_MAXIMUM_INT32_H
#define TE_MAXIMUM_INT32_H

#include "broadcast.h"

/* output = the maximum of input_1 and input_2, int32 of one scale. */
typedef struct {
  te_broadcast shape;
} te_maximum_int32_params;

void te_maximum_int32(const te_maximum_int32_params *params, const int32_t *input_1,
                      const int32_t *input_2, int32_t *output);

#endif
