#ifndef TE_REQUANTIZE_64_H
#define TE_REQUANTIZE_64_H

#include "fixed_point.h"

/* value * multiplier * 2^(shift - 31) for sums beyond 32 bits: the multiplier is cut to 15 bits and the
 * result rounded once.
 *
 * value: [-2^47, 2^47); multiplier: [0, 2^31); shift: [-31, 7] */
TE_INLINE int32_t te_requantize_64(int64_t value, int32_t multiplier, int shift) {
  const int32_t reduced = multiplier < 0x7FFF0000 ? (multiplier + (1 << 15)) >> 16 : 0x7FFF;
  const int total = 15 - shift;
  return (int32_t)((value * reduced + ((int64_t)1 << (total - 1))) >> total);
}

#endif
