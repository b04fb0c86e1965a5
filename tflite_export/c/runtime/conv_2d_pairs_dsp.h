#ifndef TE_CONV_2D_PAIRS_DSP_H
#define TE_CONV_2D_PAIRS_DSP_H

#include "arm_dsp.h"

/* The DSP form of conv_2d_pairs_int8.c, which includes it. */

#define PIXELS 3

/* Sums of three pixels: of the even channel, and 256 times the odd channel's plus the even one's. */
typedef struct {
  int32_t even0, even1, even2, mixed0, mixed1, mixed2;
} sums;

TE_INLINE int32_t twice_odd(int32_t mixed, int32_t even) {
  return (int32_t)((uint32_t)mixed - (uint32_t)even) >> 7;
}


/* Bytes to lanes, every PIXELS-th word: taps 0 and 2 of each four, then 1 and 3. */
static uint32_t *widen(uint32_t *to, const int8_t *from, int groups) {
  if (groups & 1) {
    const uint32_t bytes = te_load4(from);
    to[0] = te_even_bytes(bytes);
    to[PIXELS] = te_odd_bytes(bytes);
    from += 4;
    to += 2 * PIXELS;
  }
  const int8_t *const end = from + 4 * (groups & ~1);
  for (; from != end; from += 8, to += 4 * PIXELS) {
    const uint32_t first = te_load4(from), second = te_load4(from + 4);
    to[0] = te_even_bytes(first);
    to[PIXELS] = te_odd_bytes(first);
    to[2 * PIXELS] = te_even_bytes(second);
    to[3 * PIXELS] = te_odd_bytes(second);
  }
  return to;
}

static uint32_t *widen_fill(uint32_t *to, int value, int groups) {
  const uint32_t lanes = (uint32_t)(uint16_t)value * 0x10001u;
  for (; groups > 0; --groups, to += 2 * PIXELS) {
    to[0] = lanes;
    to[PIXELS] = lanes;
  }
  return to;
}

/* The taps of one window as lanes, where whole groups share a tap of the filter. */
static void gather_wide(const te_conv_2d_pairs_int8_params *p, const int8_t *image, int top, int left,
                        uint32_t *to) {
  const int depth = p->input_channels, groups = depth >> 2;
  for (int fy = 0, y = top; fy < p->filter_height; ++fy, y += p->dilation_height) {
    if (y < 0 || y >= p->input_height) {
      to = widen_fill(to, p->input_zero_point, p->filter_width * groups);
      continue;
    }
    const int8_t *row = image + (int32_t)y * p->input_width * depth;
    int x = left;
    for (int fx = 0; fx < p->filter_width;) {
      int run = 1;
      if (x < 0 || x >= p->input_width) {
        to = widen_fill(to, p->input_zero_point, groups);
      } else {
        if (p->dilation_width == 1) {
          run = te_min(p->filter_width - fx, p->input_width - x);
        }
        to = widen(to, row + (int32_t)x * depth, run * groups);
      }
      x += run * p->dilation_width;
      fx += run;
    }
  }
}

static void take_window(const te_conv_2d_pairs_int8_params *p, const int8_t *image, int top, int left,
                        void *columns, int pixel) {
  uint32_t *const to = (uint32_t *)columns + pixel;
  if (p->input_channels & 3) {
    int8_t *const bytes = (int8_t *)columns + 8 * PIXELS * p->groups;
    gather(p, image, top, left, bytes);
    widen(to, bytes, p->groups);
  } else {
    gather_wide(p, image, top, left, to);
  }
}

/* Four taps of three pixels and two channels: 24 products in 17 instructions. With the lanes as they are
 * the sums of both channels mix; with the sign-extended low bytes the even one's sums come alone. */
#define GROUP                                                            \
  "ldrd %[w0], %[w1], [%[w]], #8\n"                                      \
  "ldmia %[x]!, {r4, r5, r6}\n"                                          \
  "smlad %[b0], %[w0], r4, %[b0]\n"                                      \
  "smlad %[b1], %[w0], r5, %[b1]\n"                                      \
  "smlad %[b2], %[w0], r6, %[b2]\n"                                      \
  "sxtb16 %[w0], %[w0]\n"                                                \
  "smlad %[a0], %[w0], r4, %[a0]\n"                                      \
  "smlad %[a1], %[w0], r5, %[a1]\n"                                      \
  "smlad %[a2], %[w0], r6, %[a2]\n"                                      \
  "ldmia %[x]!, {r4, r5, r6}\n"                                          \
  "smlad %[b0], %[w1], r4, %[b0]\n"                                      \
  "smlad %[b1], %[w1], r5, %[b1]\n"                                      \
  "smlad %[b2], %[w1], r6, %[b2]\n"                                      \
  "sxtb16 %[w1], %[w1]\n"                                                \
  "smlad %[a0], %[w1], r4, %[a0]\n"                                      \
  "smlad %[a1], %[w1], r5, %[a1]\n"                                      \
  "smlad %[a2], %[w1], r6, %[a2]\n"

#define MULTIPLY(code)                                                                                   \
  do {                                                                                                   \
    uint32_t w0, w1;                                                                                     \
    __asm__ volatile(code                                                                                \
                     : [a0] "+r"(s.even0), [a1] "+r"(s.even1), [a2] "+r"(s.even2), [b0] "+r"(s.mixed0),  \
                       [b1] "+r"(s.mixed1), [b2] "+r"(s.mixed2), [w] "+r"(weights), [x] "+r"(x),         \
                       [w0] "=&r"(w0), [w1] "=&r"(w1)                                                    \
                     :                                                                                   \
                     : "r4", "r5", "r6", "memory");                                                      \
  } while (0)

TE_INLINE const int16_t *multiply_pair(const void *columns, int groups, const int16_t *weights, sums *result) {
  const uint32_t *x = (const uint32_t *)columns, *const end = x + 2 * PIXELS * groups;
  sums s = *result;
  for (int rest = groups & 3; rest; --rest) {
    MULTIPLY(GROUP);
  }
  while (x != end) {
    MULTIPLY(GROUP GROUP GROUP GROUP);
  }
  *result = s;
  return weights;
}

/* Every channel of three pixels; their windows stand in `columns`. */
static __attribute__((noinline)) void multiply(const te_conv_2d_pairs_int8_params *p, const void *columns,
                                               int8_t *y0, int8_t *y1, int8_t *y2) {
  const int16_t *weights = p->weights;
  const int32_t *const biases = p->bias, *const multipliers = p->multiplier;
  const uint8_t *const shifts = p->shift;
  const int channels = p->output_channels, groups = p->groups;
  const int32_t unshifted = 2 * p->output_zero_point + 1;
  for (int channel = 0; channel < channels; channel += 2) {
    const int32_t bias = biases[channel];
    sums s = {bias, bias, bias, bias, bias, bias};
    weights = multiply_pair(columns, groups, weights, &s);
    int shift = shifts[channel];
    int32_t multiplier = multipliers[channel], rounding = unshifted * ((int32_t)1 << (shift - 1));
    y2[channel] = te_scaled_byte(s.even2 * 2, multiplier, rounding, shift);
    y1[channel] = te_scaled_byte(s.even1 * 2, multiplier, rounding, shift);
    y0[channel] = te_scaled_byte(s.even0 * 2, multiplier, rounding, shift);
    if (channel + 1 == channels) {
      break;
    }
    const int32_t odd_bias = 2 * biases[channel + 1];
    shift = shifts[channel + 1];
    multiplier = multipliers[channel + 1];
    rounding = unshifted * ((int32_t)1 << (shift - 1));
    y2[channel + 1] = te_scaled_byte(twice_odd(s.mixed2, s.even2) + odd_bias, multiplier, rounding, shift);
    y1[channel + 1] = te_scaled_byte(twice_odd(s.mixed1, s.even1) + odd_bias, multiplier, rounding, shift);
    y0[channel + 1] = te_scaled_byte(twice_odd(s.mixed0, s.even0) + odd_bias, multiplier, rounding, shift);
  }
}

static void clamp(const te_conv_2d_pairs_int8_params *p, int8_t *output, const int8_t *end) {
  if (p->output_min == -128 && p->output_max == 127) {
    return;
  }
  for (; output != end; output += p->output_pitch) {
    for (int32_t i = 0; i < p->output_channels; ++i) {
      output[i] = (int8_t)te_clamp(output[i], p->output_min, p->output_max);
    }
  }
}

#endif
