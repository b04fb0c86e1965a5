#ifndef TE_LOG_SOFTMAX_INT8_H
#define TE_LOG_SOFTMAX_INT8_H

#include <stdint.h>

/* Logarithm of softmax over the last dimension, int8.
 *
 * input, output: [rows][depth]; the output's scale is 1/16 and its zero point 127
 * exps: exp of minus each distance from the row's maximum in Q0.31, [exps_count]; exps_count: [1, 256]
 * multiplier, shift: bring a distance to Q5.26; inverse_*: the way back
 * multiplier: [2^30, 2^31), shift: [0, 31]; inverse_multiplier: [2^30, 2^31), inverse_shift: [-31, 0] */
typedef struct {
  uint32_t rows, depth;
  uint16_t exps_count;
  int8_t shift, inverse_shift;
  int32_t multiplier, inverse_multiplier, farthest;
  const int32_t *exps;
} te_log_softmax_int8_params;

void te_log_softmax_int8(const te_log_softmax_int8_params *params, const int8_t *input, int8_t *output);

#endif
