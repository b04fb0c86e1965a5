#ifndef TE_MINIMUM_INT16_H
#define TE_MINIMUM_INT16_H

#include "broadcast.h"

/* output = the minimum of input_1 and input_2, int16 of one scale. */
typedef struct {
  te_broadcast shape;
} te_minimum_int16_params;

void te_minimum_int16(const te_minimum_int16_params *params, const int16_t *input_1,
                      const int16_t *input_2, int16_t *output);

#endif
