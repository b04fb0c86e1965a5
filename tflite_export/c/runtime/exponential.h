#ifndef TE_EXPONENTIAL_H
#define TE_EXPONENTIAL_H

#include "fixed_point.h"

/* exp(value) in Q0.31 for value in Q5.26, at most 0: a Taylor polynomial around -1/8 for the remainder in
 * [-1/4, 0), times a factor for each power of two in what is left. */
TE_INLINE int32_t te_exp_on_negative(int32_t value) {
  static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  const int32_t quarter = 1 << 24, at_center = 1895147668, one_third = 715827883;
  if (value == 0) {
    return INT32_MAX;
  }
  const int32_t remainder = (value & (quarter - 1)) - quarter;
  const int32_t x = remainder * 32 + (1 << 28);
  const int32_t squared = te_high_mul(x, x);
  const int32_t cubed = te_high_mul(squared, x);
  const int32_t fourth_quarter = te_shift_right(te_high_mul(squared, squared), 2);
  const int32_t tail = te_shift_right(te_high_mul(fourth_quarter + cubed, one_third) + squared, 1);
  int32_t result = at_center + te_high_mul(at_center, x + tail);
  const int32_t whole = remainder - value;
  for (int power = 0; power < 7; ++power) {
    if (whole & (quarter << power)) {
      result = te_high_mul(result, factors[power]);
    }
  }
  return result;
}

#endif
