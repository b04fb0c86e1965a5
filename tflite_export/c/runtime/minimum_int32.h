#ifndef TE_MINIMUM_INT32_H
#define TE_MINIMUM_INT32_H

#include "broadcast.h"

/* output = the minimum of input_1 and input_2, int32 of one scale. */
typedef struct {
  te_broadcast shape;
} te_minimum_int32_params;

void te_minimum_int32(const te_minimum_int32_params *params, const int32_t *input_1,
                      const int32_t *input_2, int32_t *output);

#endif
