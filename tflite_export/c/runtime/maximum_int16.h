#ifndef TE_MAXIMUM_INT16_H
#define TE_MAXIMUM_INT16_H

#include "broadcast.h"

/* output = the maximum of input_1 and input_2, int16 of one scale. */
typedef struct {
  te_broadcast shape;
} te_maximum_int16_params;

void te_maximum_int16(const te_maximum_int16_params *params, const int16_t *input_1,
                      const int16_t *input_2, int16_t *output);

#endif
