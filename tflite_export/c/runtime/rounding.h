#ifndef TE_ROUNDING_H
#define TE_ROUNDING_H

#include "fixed_point.h"

/* The nearest integer, halves away from zero, saturated at +-2^22; NaN gives 0. */
TE_INLINE int32_t te_round(float value) {
  if (value != value) {
    return 0;
  }
  if (value >= 4194304.0f) {
    return 4194304;
  }
  if (value <= -4194304.0f) {
    return -4194304;
  }
  const int32_t whole = (int32_t)value;
  const float rest = value - (float)whole;
  return rest >= 0.5f ? whole + 1 : rest <= -0.5f ? whole - 1 : whole;
}

#endif
