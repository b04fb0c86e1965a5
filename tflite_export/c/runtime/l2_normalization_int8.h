#ifndef TE_L2_NORMALIZATION_INT8_H
#define TE_L2_NORMALIZATION_INT8_H

#include <stdint.h>

/* Scales each row to length 1, int8.
 *
 * input, output: [rows][depth]; depth: at most 33,000; the output's scale is 1/128 and its zero point 0 */
typedef struct {
  uint32_t rows, depth;
  int16_t input_zero_point;
} te_l2_normalization_int8_params;

void te_l2_normalization_int8(const te_l2_normalization_int8_params *params, const int8_t *input,
                              int8_t *output);

#endif
