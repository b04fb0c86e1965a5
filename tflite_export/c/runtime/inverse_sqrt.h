#ifndef TE_INVERSE_SQRT_H
#define TE_INVERSE_SQRT_H

#include "fixed_point.h"

/* 1 / sqrt(value) as a factor in Q0.31 and a shift, not positive; 0 counts as 1. Five Newton steps. */
TE_INLINE int32_t te_inverse_sqrt(int32_t value, int *shift) {
  if (value <= 1) {
    *shift = 0;
    return INT32_MAX;
  }
  int right = 11;
  while (value >= 1 << 29) {
    value /= 4;
    ++right;
  }
  const int pairs = (te_leading_zeros((uint32_t)value) - 1) / 2 - 1;
  right -= pairs;
  value = (int32_t)((uint32_t)value << (2 * pairs));
  const int32_t half = te_shift_right(value >> 1, 1);
  int32_t x = 1 << 28; /* Q3.28 */
  for (int step = 0; step < 5; ++step) {
    const int32_t cubed = te_shift_left(te_high_mul(te_high_mul(x, x), x), 6);
    x = te_shift_left(te_high_mul((1 << 28) + (1 << 27), x) - te_high_mul(half, cubed), 3);
  }
  x = te_high_mul(x, 1518500250); /* sqrt(1/2) */
  if (right < 0) {
    x = (int32_t)((uint32_t)x << -right);
    right = 0;
  }
  *shift = -right;
  return x;
}

#endif
