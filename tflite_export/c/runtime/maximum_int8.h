#ifndef TE_MAXIMUM_INT8_H
#define TE_MAXIMUM_INT8_H

#include "broadcast.h"

/* output = the maximum of input_1 and input_2, int8 of one scale. */
typedef struct {
  te_broadcast shape;
} te_maximum_int8_params;

void te_maximum_int8(const te_maximum_int8_params *params, const int8_t *input_1, const int8_t *input_2,
                     int8_t *output);

#endif
