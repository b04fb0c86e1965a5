#ifndef TE_LOGISTIC_INT16_H
#define TE_LOGISTIC_INT16_H

#include <stdint.h>

/* output = 1 / (1 + exp(-input)) with scale 2^-15, int16: interpolation in a table.
 *
 * multiplier: [1, 32767] and shift: [0, 31] bring the input to units of 1 / 12288
 * table: the function in Q0.16 at 256 points 512 units apart */
typedef struct {
  uint32_t count;
  int32_t multiplier;
  uint8_t shift;
  const uint16_t *table;
} te_logistic_int16_params;

void te_logistic_int16(const te_logistic_int16_params *params, const int16_t *input, int16_t *output);

#endif
