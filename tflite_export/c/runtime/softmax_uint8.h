#ifndef TE_SOFTMAX_UINT8_H
#define TE_SOFTMAX_UINT8_H

#include <stdint.h>

/* Softmax over the last dimension, uint8.
 *
 * input, output: [rows][depth]; the output's scale is 1/256 and its zero point 0
 * exps: exp of minus each distance from the row's maximum in Q0.31, [exps_count]; farther values
 * count as zero; exps_count: [1, 256] */
typedef struct {
  uint32_t rows, depth;
  uint16_t exps_count;
  const int32_t *exps;
} te_softmax_uint8_params;

void te_softmax_uint8(const te_softmax_uint8_params *params, const uint8_t *input, uint8_t *output);

#endif
