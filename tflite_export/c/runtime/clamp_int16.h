#ifndef TE_CLAMP_INT16_H
#define TE_CLAMP_INT16_H

#include <stdint.h>

/* output = input limited to [low, high], int16. */
typedef struct {
  uint32_t count;
  int16_t low, high;
} te_clamp_int16_params;

void te_clamp_int16(const te_clamp_int16_params *params, const int16_t *input, int16_t *output);

#endif
