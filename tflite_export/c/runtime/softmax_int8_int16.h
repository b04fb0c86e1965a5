#ifndef TE_SOFTMAX_INT8_INT16_H
#define TE_SOFTMAX_INT8_INT16_H

#include <stdint.h>

/* Softmax over the last dimension, int8 to int16.
 *
 * input, output: [rows][depth]; the output's scale is 1/65536 and its zero point -32768
 * exps: exp of minus each distance from the row's maximum in Q0.31, [exps_count]; farther values
 * count as zero; exps_count: [1, 256] */
typedef struct {
  uint32_t rows, depth;
  uint16_t exps_count;
  const int32_t *exps;
} te_softmax_int8_int16_params;

void te_softmax_int8_int16(const te_softmax_int8_int16_params *params, const int8_t *input, int16_t *output);

#endif
