#ifndef TE_RECIPROCAL_H
#define TE_RECIPROCAL_H

#include "fixed_point.h"

/* 1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31: three Newton steps. */
TE_INLINE int32_t te_one_over_one_plus(int32_t x) {
  const int64_t sum = (int64_t)x + INT32_MAX;
  const int32_t half = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
  int32_t result = 1515870810 + te_high_mul(half, -1010580540);
  for (int step = 0; step < 3; ++step) {
    const int32_t error = (1 << 29) - te_high_mul(half, result);
    result += te_shift_left(te_high_mul(result, error), 2);
  }
  return te_shift_left(result, 1);
}

/* The mantissa in Q0.31 of 1 / value; *exponent becomes the power of two above `integer_bits`. */
TE_INLINE int32_t te_reciprocal(int32_t value, int integer_bits, int *exponent) {
  const int zeros = te_leading_zeros((uint32_t)value);
  *exponent = integer_bits - zeros;
  return te_one_over_one_plus((int32_t)(((uint32_t)value << zeros) - 0x80000000u));
}

#endif
