#ifndef TE_SUM_INT16_H
#define TE_SUM_INT16_H

#include "reduce.h"

/* Sums, rescaled, int16; a mean is a sum whose multiplier has the count divided out.
 *
 * zero_points: the input's zero point times the number of values summed
 * multiplier: [0, 2^31); shift: [-31, 31] */
typedef struct {
  te_reduce shape;
  int32_t zero_points;
  int16_t output_zero_point;
  int8_t shift;
  int32_t multiplier;
} te_sum_int16_params;

void te_sum_int16(const te_sum_int16_params *params, const int16_t *input, int16_t *output);

#endif
