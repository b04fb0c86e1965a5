#ifndef TE_SIGMOID_H
#define TE_SIGMOID_H

#include "fixed_point.h"

/* Interpolation in a table of 1 / (1 + exp(-x)) in Q0.16 at 256 points 1/24 apart. */

/* input * multiplier / 2^shift, rounded; multiplier: [1, 32767] */
TE_INLINE int32_t te_table_units(int32_t input, int32_t multiplier, int shift) {
  const int32_t half = shift > 0 ? (int32_t)(1u << (shift - 1)) : 0;
  return (input * multiplier + half) >> shift;
}

/* The logistic function of units / 12288 in Q0.15. */
TE_INLINE int16_t te_logistic_q15(int32_t units, const uint16_t *table) {
  const uint32_t size = (uint32_t)(units < 0 ? -units : units);
  const uint32_t place = size >> 9;
  uint32_t value = 0x7FFFu << 10;
  if (place < 255) {
    value = ((uint32_t)table[place] << 9) + (size & 511u) * (uint32_t)(table[place + 1] - table[place]);
  }
  value = units >= 0 ? value + 512u : (1u << 25) - value + 511u;
  return (int16_t)(value >> 10);
}

/* tanh of units / 12288 in Q0.15. */
TE_INLINE int16_t te_tanh_q15(int32_t units, const uint16_t *table) {
  const uint32_t size = (uint32_t)(units < 0 ? -units : units);
  const uint32_t place = size >> 8;
  int32_t value = 0xFFFF << 8;
  if (place < 255) {
    value = ((int32_t)table[place] << 8) + (int32_t)(size & 255u) * (table[place + 1] - table[place]);
  }
  value = units >= 0 ? value - (1 << 23) + 128 : (1 << 23) - value + 127;
  return (int16_t)(value >> 8);
}

#endif
