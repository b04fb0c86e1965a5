#ifndef TE_SUM_INT8_H
#define TE_SUM_INT8_H

#include "reduce.h"

/* Sums, rescaled, int8; a mean is a sum whose multiplier has the count divided out.
 *
 * zero_points: the input's zero point times the number of values summed
 * multiplier: [0, 2^31); shift: [-31, 31] */
typedef struct {
  te_reduce shape;
  int32_t zero_points;
  int16_t output_zero_point;
  int8_t shift;
  int32_t multiplier;
} te_sum_int8_params;

void te_sum_int8(const te_sum_int8_params *params, const int8_t *input, int8_t *output);

#endif
