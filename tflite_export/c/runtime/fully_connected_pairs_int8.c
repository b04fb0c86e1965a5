#include "fully_connected_pairs_int8.h"

#include "arm_dsp.h"
#include "arm_mve_int.h"
#include "fixed_point.h"

#if defined(TE_ARM_DSP)

static void widen(uint32_t *to, const int8_t *from, int depth) {
  for (; depth >= 4; depth -= 4, from += 4, to += 2) {
    const uint32_t bytes = te_load4(from);
    to[0] = te_even_bytes(bytes);
    to[1] = te_odd_bytes(bytes);
  }
  if (depth) {
    uint32_t bytes = (uint8_t)from[0];
    if (depth > 1) {
      bytes |= (uint32_t)(uint8_t)from[1] << 8;
    }
    if (depth > 2) {
      bytes |= (uint32_t)(uint8_t)from[2] << 16;
    }
    to[0] = te_even_bytes(bytes);
    to[1] = te_odd_bytes(bytes);
  }
}

/* Four inputs of four units: 16 products in 14 instructions; see conv_2d_pairs_int8.c. */
#define GROUP                                      \
  "ldmia %[w]!, {r4, r5, r6, r8}\n"                \
  "ldrd %[x0], %[x1], [%[x]], #8\n"                \
  "smlad %[s1], r4, %[x0], %[s1]\n"                \
  "smlad %[s3], r6, %[x0], %[s3]\n"                \
  "sxtb16 r4, r4\n"                                \
  "sxtb16 r6, r6\n"                                \
  "smlad %[s0], r4, %[x0], %[s0]\n"                \
  "smlad %[s2], r6, %[x0], %[s2]\n"                \
  "smlad %[s1], r5, %[x1], %[s1]\n"                \
  "smlad %[s3], r8, %[x1], %[s3]\n"                \
  "sxtb16 r5, r5\n"                                \
  "sxtb16 r8, r8\n"                                \
  "smlad %[s0], r5, %[x1], %[s0]\n"                \
  "smlad %[s2], r8, %[x1], %[s2]\n"

#define MULTIPLY(code)                                                                                  \
  do {                                                                                                  \
    uint32_t x0, x1;                                                                                    \
    __asm__ volatile(code                                                                               \
                     : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [w] "+r"(weights),   \
                       [x] "+r"(x), [x0] "=&r"(x0), [x1] "=&r"(x1)                                      \
                     :                                                                                  \
                     : "r4", "r5", "r6", "r8", "memory");                                               \
  } while (0)

/* Not inlined: with what the caller holds, a compiler that keeps a frame pointer runs out of registers. */
static __attribute__((noinline)) const int16_t *quad(const int16_t *weights, const uint32_t *x,
                                                     const uint32_t *end, int32_t sums[4]) {
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#if defined(TE_ARM_MVE)
  for (; end - x >= 8; x += 8, weights += 32) { /* 16 inputs of four units */
    const int32x4x4_t numbers = vld4q_s32((const int32_t *)(const void *)weights);
    const int32x4x2_t inputs = vld2q_s32((const int32_t *)(const void *)x);
    const int16x8_t x0 = vreinterpretq_s16_s32(inputs.val[0]), x1 = vreinterpretq_s16_s32(inputs.val[1]);
    const int16x8_t w0 = vreinterpretq_s16_s32(numbers.val[0]), w1 = vreinterpretq_s16_s32(numbers.val[1]);
    const int16x8_t w2 = vreinterpretq_s16_s32(numbers.val[2]), w3 = vreinterpretq_s16_s32(numbers.val[3]);
    s1 = vmladavaq_s16(vmladavaq_s16(s1, w0, x0), w1, x1);
    s3 = vmladavaq_s16(vmladavaq_s16(s3, w2, x0), w3, x1);
    s0 = vmladavaq_s16(s0, vmovlbq_s8(vreinterpretq_s8_s16(w0)), x0);
    s0 = vmladavaq_s16(s0, vmovlbq_s8(vreinterpretq_s8_s16(w1)), x1);
    s2 = vmladavaq_s16(s2, vmovlbq_s8(vreinterpretq_s8_s16(w2)), x0);
    s2 = vmladavaq_s16(s2, vmovlbq_s8(vreinterpretq_s8_s16(w3)), x1);
  }
#endif
  while ((end - x) & 6) {
    MULTIPLY(GROUP);
  }
  while (x != end) {
    MULTIPLY(GROUP GROUP GROUP GROUP);
  }
  sums[0] = s0;
  sums[1] = (int32_t)((uint32_t)s1 - (uint32_t)s0) >> 8;
  sums[2] = s2;
  sums[3] = (int32_t)((uint32_t)s3 - (uint32_t)s2) >> 8;
  return weights;
}

#else

static void widen(int8_t *to, const int8_t *from, int depth) {
  for (; depth > 0; --depth) {
    *to++ = *from++;
  }
  to[0] = to[1] = to[2] = 0;
}

/* What 256 * odd + even holds, both of them; the high bits of `mixed` may be lost. */
static void split(int32_t *sums, uint32_t mixed, int32_t even) {
  sums[0] = even;
  sums[1] = (int32_t)(mixed - (uint32_t)even) / 256;
}

static const int16_t *quad(const int16_t *weights, const int8_t *x, const int8_t *end, int32_t sums[4]) {
  static const uint8_t order[4] = {0, 2, 1, 3};
  uint32_t mixed0 = 0, mixed2 = 0;
  int32_t even0 = 0, even2 = 0;
  for (; x != end; x += 4, weights += 8) {
    for (int i = 0; i < 4; ++i) {
      const int32_t value = x[order[i]];
      mixed0 += (uint32_t)(value * weights[i]);
      even0 += value * (int8_t)(weights[i] & 255);
      mixed2 += (uint32_t)(value * weights[4 + i]);
      even2 += value * (int8_t)(weights[4 + i] & 255);
    }
  }
  split(sums, mixed0, even0);
  split(sums + 2, mixed2, even2);
  return weights;
}

#endif

void te_fully_connected_pairs_int8(const te_fully_connected_pairs_int8_params *p, const int8_t *input,
                                   int8_t *output, void *scratch) {
#if defined(TE_ARM_DSP)
  uint32_t *const x = (uint32_t *)scratch, *const end = x + 2 * p->groups;
#else
  int8_t *const x = (int8_t *)scratch, *const end = x + 4 * p->groups;
#endif
  const int per_unit = p->per_unit, lowest = p->output_min, highest = p->output_max;
#if defined(TE_ARM_DSP)
  const int32_t twice_zero_point_1 = 2 * p->output_zero_point + 1;
#endif
  for (int row = 0; row < p->rows; ++row, input += p->depth) {
    widen(x, input, p->depth);
    const int16_t *weights = p->weights;
    const int32_t *bias = p->bias, *multiplier = p->multiplier;
    const uint8_t *shift = p->shift;
    for (int unit = 0; unit < p->units; unit += 4) {
      int32_t sums[4];
      weights = quad(weights, x, end, sums);
      for (int i = 0; i < 4 && unit + i < p->units; ++i, multiplier += per_unit, shift += per_unit) {
        const int32_t sum = sums[i] + *bias++;
#if defined(TE_ARM_DSP)
        const int32_t rounding = twice_zero_point_1 * ((int32_t)1 << (*shift - 1));
        const int32_t scaled = te_scaled_byte(2 * sum, *multiplier, rounding, *shift);
#else
        const int32_t scaled = te_requantize_right(sum, *multiplier, *shift) + p->output_zero_point;
#endif
        *output++ = (int8_t)te_clamp(scaled, lowest, highest);
      }
    }
  }
}
