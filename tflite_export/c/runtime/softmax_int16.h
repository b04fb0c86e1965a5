#ifndef TE_SOFTMAX_INT16_H
#define TE_SOFTMAX_INT16_H

#include <stdint.h>

/* Softmax over the last dimension, int16, by interpolation in tables.
 *
 * input, output: [rows][depth]; the output's scale is 1/32768 and its zero point 0
 * multiplier, shift: bring a distance from the row's maximum to 10/65535; multiplier: 0 or [2^30, 2^31),
 * shift: [-31, 15]
 * exps: exp of [-10, 0], reciprocals: 1 / (1 + x) for x in [0, 1], each [513] in Q0.15 */
typedef struct {
  uint32_t rows, depth;
  int32_t multiplier;
  int8_t shift;
  const int16_t *exps, *reciprocals;
} te_softmax_int16_params;

void te_softmax_int16(const te_softmax_int16_params *params, const int16_t *input, int16_t *output);

#endif
