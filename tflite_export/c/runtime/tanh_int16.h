#ifndef TE_TANH_INT16_H
#define TE_TANH_INT16_H

#include <stdint.h>

/* output = tanh(input) with scale 2^-15, int16: interpolation in a table of the logistic function.
 *
 * multiplier: [1, 32767] and shift: [0, 31] bring the input to units of 1 / 12288
 * table: the logistic function in Q0.16 at 256 points, 256 units of the doubled input apart */
typedef struct {
  uint32_t count;
  int32_t multiplier;
  uint8_t shift;
  const uint16_t *table;
} te_tanh_int16_params;

void te_tanh_int16(const te_tanh_int16_params *params, const int16_t *input, int16_t *output);

#endif
