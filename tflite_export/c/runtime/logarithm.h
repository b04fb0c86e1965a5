#ifndef TE_LOGARITHM_H
#define TE_LOGARITHM_H

#include "reciprocal.h"

/* Natural logarithm in Q5.26 of a number of at least 1 in Q12.19.
 *
 * The number is split into a power of two and a mantissa near sqrt(sqrt(1/2)), whose logarithm is a
 * quotient of polynomials. Two splits, half an octave apart, are weighed against each other. */
TE_INLINE int32_t te_log_q12(int32_t value) {
  const int32_t log_2 = 1488522236, root_half = 1518500250, center = 1805811301;
  const int32_t quarter = 1 << 23; /* Q6.25 */
  const int zeros = te_leading_zeros((uint32_t)value);
  const int32_t first = te_shift_left(te_high_mul(te_shift_left(value, zeros - 1), root_half), 1);
  const int32_t first_power = (12 - zeros) * (1 << 25) + quarter;
  const int room = te_leading_zeros((uint32_t)te_high_mul(value, root_half)) - 1;
  const int32_t second = te_shift_left(value, room);
  const int32_t second_power = (12 - room) * (1 << 25) - quarter;
  const int32_t mantissa = te_min(first, second);
  const int32_t power = te_max(first_power, second_power);

  const int64_t total = (int64_t)mantissa + center;
  const int32_t mean = (int32_t)((total + 1) >> 1);
  const int32_t q = 2 * (mantissa - center);
  const int32_t squared = te_high_mul(q, q);
  const int32_t numerator = te_high_mul(q, mantissa) + te_high_mul(te_high_mul(q, squared), 117049297);
  const int32_t inner = 1057819769 + q + te_high_mul(127690142, squared);
  const int32_t denominator = te_high_mul(mean, inner) + te_high_mul(638450708, q);
  const int32_t quotient = te_high_mul(te_shift_right(numerator, 6), te_one_over_one_plus(denominator));
  return te_shift_left(te_high_mul(power, log_2) + quotient, 1);
}

#endif
