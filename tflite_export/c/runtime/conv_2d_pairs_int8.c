#include "conv_2d_pairs_int8.h"

#include "arm_dsp.h"
#include "fixed_point.h"

static void copy(int8_t *to, const int8_t *from, int count) {
  for (; count >= 4; count -= 4, to += 4, from += 4) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_memcpy(to, from, 4);
#else
    to[0] = from[0], to[1] = from[1], to[2] = from[2], to[3] = from[3];
#endif
  }
  while (--count >= 0) {
    *to++ = *from++;
  }
}

static void fill(int8_t *to, int8_t value, int count) {
  while (--count >= 0) {
    *to++ = value;
  }
}

/* The taps of one window as bytes in the order of the weights. */
static void gather(const te_conv_2d_pairs_int8_params *p, const int8_t *image, int top, int left, int8_t *to) {
  const int depth = p->input_channels;
  const int8_t zero = (int8_t)p->input_zero_point;
  for (int fy = 0, y = top; fy < p->filter_height; ++fy, y += p->dilation_height) {
    if (y < 0 || y >= p->input_height) {
      fill(to, zero, p->filter_width * depth);
      to += p->filter_width * depth;
      continue;
    }
    const int8_t *row = image + (int32_t)y * p->input_width * depth;
    int x = left;
    for (int fx = 0; fx < p->filter_width;) {
      int run = 1;
      if (x < 0 || x >= p->input_width) {
        fill(to, zero, depth);
      } else {
        if (p->dilation_width == 1) {
          run = te_min(p->filter_width - fx, p->input_width - x);
        }
        copy(to, row + (int32_t)x * depth, run * depth);
      }
      to += run * depth;
      x += run * p->dilation_width;
      fx += run;
    }
  }
}

#if defined(TE_ARM_DSP)

#define PIXELS 3

/* Bytes to lanes, every PIXELS-th word: taps 0 and 2 of each four, then 1 and 3. */
static uint32_t *widen(uint32_t *to, const int8_t *from, int groups) {
  for (; groups > 0; --groups, from += 4, to += 2 * PIXELS) {
    const uint32_t bytes = te_load4(from);
    to[0] = te_even_bytes(bytes);
    to[PIXELS] = te_odd_bytes(bytes);
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

/* Four taps of three pixels and two channels: 24 products in 17 instructions. With the lanes as they are
 * the sums of both channels mix, 256 times the odd one's plus the even one's; with the sign-extended low
 * bytes the even one's sums come alone. */
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
                     : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [b0] "+r"(b0), [b1] "+r"(b1),        \
                       [b2] "+r"(b2), [w] "+r"(weights), [x] "+r"(x), [w0] "=&r"(w0), [w1] "=&r"(w1)     \
                     :                                                                                   \
                     : "r4", "r5", "r6", "memory");                                                      \
  } while (0)

/* Every channel of three pixels; their windows stand in `columns`. */
static __attribute__((noinline)) void multiply(const te_conv_2d_pairs_int8_params *p, const uint32_t *columns,
                                               int8_t *y0, int8_t *y1, int8_t *y2) {
  const int16_t *weights = p->weights;
  const uint32_t *const end = columns + 2 * PIXELS * p->groups;
  for (int channel = 0; channel < p->output_channels; channel += 2) {
    const uint32_t *x = columns;
    int32_t a0 = p->bias[channel], a1 = a0, a2 = a0, b0 = a0, b1 = a0, b2 = a0;
    for (int rest = p->groups & 3; rest; --rest) {
      MULTIPLY(GROUP);
    }
    while (x != end) {
      MULTIPLY(GROUP GROUP GROUP GROUP);
    }
    b0 = (int32_t)((uint32_t)b0 - (uint32_t)a0) >> 7;
    b1 = (int32_t)((uint32_t)b1 - (uint32_t)a1) >> 7;
    b2 = (int32_t)((uint32_t)b2 - (uint32_t)a2) >> 7;
    int shift = p->shift[channel];
    int32_t multiplier = p->multiplier[channel];
    int32_t rounding = (2 * p->output_zero_point + 1) * ((int32_t)1 << (shift - 1));
    y2[channel] = te_scaled_byte(a2 * 2, multiplier, rounding, shift);
    y1[channel] = te_scaled_byte(a1 * 2, multiplier, rounding, shift);
    y0[channel] = te_scaled_byte(a0 * 2, multiplier, rounding, shift);
    if (channel + 1 < p->output_channels) {
      const int32_t bias = 2 * p->bias[channel + 1];
      shift = p->shift[channel + 1];
      multiplier = p->multiplier[channel + 1];
      rounding = (2 * p->output_zero_point + 1) * ((int32_t)1 << (shift - 1));
      y2[channel + 1] = te_scaled_byte(b2 + bias, multiplier, rounding, shift);
      y1[channel + 1] = te_scaled_byte(b1 + bias, multiplier, rounding, shift);
      y0[channel + 1] = te_scaled_byte(b0 + bias, multiplier, rounding, shift);
    }
  }
}

static void clamp(const te_conv_2d_pairs_int8_params *p, int8_t *output, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    output[i] = (int8_t)te_clamp(output[i], p->output_min, p->output_max);
  }
}

void te_conv_2d_pairs_int8(const te_conv_2d_pairs_int8_params *p, const int8_t *input, int8_t *output,
                           void *scratch) {
  uint32_t *const columns = (uint32_t *)scratch;
  int8_t *const bytes = (int8_t *)(columns + 2 * PIXELS * p->groups);
  const int channels = p->output_channels;
  int8_t *const first = output;
  int filled = 0;
  for (int batch = 0; batch < p->batches; ++batch) {
    for (int top = -p->pad_top, oy = 0; oy < p->output_height; ++oy, top += p->stride_height) {
      for (int left = -p->pad_left, ox = 0; ox < p->output_width; ++ox, left += p->stride_width) {
        if (p->input_channels & 3) {
          gather(p, input, top, left, bytes);
          widen(columns + filled, bytes, p->groups);
        } else {
          gather_wide(p, input, top, left, columns + filled);
        }
        if (++filled == PIXELS) {
          multiply(p, columns, output, output + channels, output + 2 * channels);
          output += PIXELS * channels;
          filled = 0;
        }
      }
    }
    input += (int32_t)p->input_height * p->input_width * p->input_channels;
  }
  if (filled) { /* pixels that are not there go where one that is overwrites them */
    multiply(p, columns, output, filled == 2 ? output + channels : output, output);
    output += filled * channels;
  }
  if (p->output_min > -128 || p->output_max < 127) {
    clamp(p, first, (int32_t)(output - first));
  }
}

#else

void te_conv_2d_pairs_int8(const te_conv_2d_pairs_int8_params *p, const int8_t *input, int8_t *output,
                           void *scratch) {
  int8_t *const bytes = (int8_t *)scratch;
  for (int i = 0; i < 4 * p->groups; ++i) {
    bytes[i] = 0;
  }
  for (int batch = 0; batch < p->batches; ++batch) {
    for (int top = -p->pad_top, oy = 0; oy < p->output_height; ++oy, top += p->stride_height) {
      for (int left = -p->pad_left, ox = 0; ox < p->output_width; ++ox, left += p->stride_width) {
        gather(p, input, top, left, bytes);
        const int16_t *weights = p->weights;
        for (int channel = 0; channel < p->output_channels; channel += 2) {
          int32_t even = p->bias[channel];
          uint32_t mixed = 0; /* 256 * odd + even, of which the high bits may be lost */
          const int32_t before = even;
          for (const int8_t *x = bytes, *end = bytes + 4 * p->groups; x != end; x += 4, weights += 4) {
            even += x[0] * (int8_t)(weights[0] & 255) + x[2] * (int8_t)(weights[1] & 255) +
                    x[1] * (int8_t)(weights[2] & 255) + x[3] * (int8_t)(weights[3] & 255);
            mixed += (uint32_t)(x[0] * weights[0]) + (uint32_t)(x[2] * weights[1]) +
                     (uint32_t)(x[1] * weights[2]) + (uint32_t)(x[3] * weights[3]);
          }
          int32_t scaled = te_requantize(even, p->multiplier[channel], -p->shift[channel]);
          *output++ = (int8_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
          if (channel + 1 < p->output_channels) {
            const int32_t odd = (int32_t)(mixed - (uint32_t)even + (uint32_t)before) / 256;
            scaled = te_requantize(odd + p->bias[channel + 1], p->multiplier[channel + 1], -p->shift[channel + 1]);
            *output++ = (int8_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
          }
        }
      }
    }
    input += (int32_t)p->input_height * p->input_width * p->input_channels;
  }
}

#endif
