#ifndef TE_ARM_DSP_H
#define TE_ARM_DSP_H

#include <stdint.h>

#include "compiler.h"

/* The DSP instructions of Cortex-M4, M7, M33 and M55: two 16-bit lanes in a register. */

/* The longest of the assembly here needs all registers, which only an optimizing compiler spares. */
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN) && defined(__GNUC__) && defined(__OPTIMIZE__)
#define TE_ARM_DSP 1

/* Four bytes from any address. */
TE_INLINE uint32_t te_load4(const void *from) {
  uint32_t value;
  __builtin_memcpy(&value, from, 4);
  return value;
}

/* Bytes 0 and 2 as signed lanes. */
TE_INLINE uint32_t te_even_bytes(uint32_t bytes) {
  uint32_t lanes;
  __asm__("sxtb16 %0, %1" : "=r"(lanes) : "r"(bytes));
  return lanes;
}

/* Bytes 1 and 3 as signed lanes. */
TE_INLINE uint32_t te_odd_bytes(uint32_t bytes) {
  uint32_t lanes;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(lanes) : "r"(bytes));
  return lanes;
}

/* sum + a.low * b.low + a.high * b.high. */
TE_INLINE int32_t te_dual_mac(uint32_t a, uint32_t b, int32_t sum) {
  int32_t result;
  __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

TE_INLINE int32_t te_mac_low_low(uint32_t a, uint32_t b, int32_t sum) {
  int32_t result;
  __asm__("smlabb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

TE_INLINE int32_t te_mac_low_high(uint32_t a, uint32_t b, int32_t sum) {
  int32_t result;
  __asm__("smlabt %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

TE_INLINE int32_t te_mac_high_low(uint32_t a, uint32_t b, int32_t sum) {
  int32_t result;
  __asm__("smlatb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

/* sum + round(a * b / 2^32). */
TE_INLINE int32_t te_high_mac(int32_t a, int32_t b, int32_t sum) {
  int32_t result;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

TE_INLINE int32_t te_saturate8(int32_t value) {
  int32_t result;
  __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value));
  return result;
}

/* What te_requantize(sum, multiplier, -shift) + zero_point gives, as a byte, where |sum| < 2^30,
 * 1 <= shift and nothing overflows; `twice` is 2 * sum, `rounding` is (2 * zero_point + 1) << (shift - 1).
 * The addend may stand inside the first rounding because it is a whole number, and the sign of the sum may
 * stand for that of the product, since where they differ the product is 0 and rounds to 0 with either. */
TE_INLINE int8_t te_scaled_byte(int32_t twice, int32_t multiplier, int32_t rounding, int shift) {
  return (int8_t)te_saturate8(te_high_mac(twice, multiplier, rounding + (twice >> 31)) >> shift);
}

#endif
#endif
