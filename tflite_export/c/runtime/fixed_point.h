#ifndef TE_FIXED_POINT_H
#define TE_FIXED_POINT_H

#include <stdint.h>

#include "compiler.h"

/* Integer arithmetic shared by the kernels. Right shifts of negative numbers must be arithmetic, as
 * they are on every compiler for the targets of this runtime. */

TE_INLINE int32_t te_min(int32_t a, int32_t b) { return a < b ? a : b; }

TE_INLINE int32_t te_max(int32_t a, int32_t b) { return a > b ? a : b; }

TE_INLINE int32_t te_clamp(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : value > high ? high : value;
}

/* round(a * b / 2^31), halves up, saturated for INT32_MIN squared. */
TE_INLINE int32_t te_high_mul(int32_t a, int32_t b) {
  if (a == b && a == INT32_MIN) {
    return INT32_MAX;
  }
  return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* value / 2^exponent, halves away from zero; exponent in [0, 31]. */
TE_INLINE int32_t te_shift_right(int32_t value, int exponent) {
  const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1u);
  const int32_t remainder = value & mask;
  const int32_t threshold = (mask >> 1) + (value < 0);
  return (value >> exponent) + (remainder > threshold);
}

/* value * 2^exponent, saturated; exponent in [0, 31]. */
TE_INLINE int32_t te_shift_left(int32_t value, int exponent) {
  const int64_t wide = (int64_t)value * ((int64_t)1 << exponent);
  return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* value * multiplier * 2^(shift - 31), rounded after the product and again after the shift.
 * multiplier: 0 or [2^30, 2^31); shift: [-31, 31]; a left shift must not overflow. */
TE_INLINE int32_t te_requantize(int32_t value, int32_t multiplier, int shift) {
  if (shift > 0) {
    return te_high_mul((int32_t)((uint32_t)value << shift), multiplier);
  }
  return te_shift_right(te_high_mul(value, multiplier), -shift);
}

/* te_requantize where |value| < 2^30 and shift, to the right, is at least 1. */
TE_INLINE int32_t te_requantize_right(int32_t value, int32_t multiplier, int shift) {
  const int32_t product = (int32_t)(((int64_t)value * multiplier + (1 << 30)) >> 31);
  return (product + (value >> 31) + ((int32_t)1 << (shift - 1))) >> shift;
}

/* Leading zero bits of a number that is not zero. */
TE_INLINE int te_leading_zeros(uint32_t value) {
#if defined(__GNUC__) || defined(__clang__)
  return __builtin_clz((unsigned)value) - (int)(8 * sizeof(unsigned) - 32);
#else
  int count = 0;
  while (!(value & 0x80000000u)) {
    value <<= 1;
    ++count;
  }
  return count;
#endif
}

#endif
