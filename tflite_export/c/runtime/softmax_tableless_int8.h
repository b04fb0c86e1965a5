#ifndef TE_SOFTMAX_TABLELESS_INT8_H
#define TE_SOFTMAX_TABLELESS_INT8_H

#include <stdint.h>

/* Softmax over the last dimension, int8, for few values: exponentials are computed, not looked up.
 *
 * input, output: [rows][depth]; the output's scale is 1/256 and its zero point -128
 * exps_count: distances from the row's maximum that count, [1, 256]; farther values count as zero
 * multiplier: [2^30, 2^31); shift: [0, 31]; a distance times multiplier * 2^(shift - 31) is in Q5.26 */
typedef struct {
  uint32_t rows, depth;
  uint16_t exps_count;
  uint8_t shift;
  int32_t multiplier;
} te_softmax_tableless_int8_params;

void te_softmax_tableless_int8(const te_softmax_tableless_int8_params *params, const int8_t *input, int8_t *output);

#endif
