#include "depthwise_conv_2d_3x3_int8.h"

#include "arm_dsp.h"
#include "arm_mve_int.h"

#if defined(TE_ARM_DSP) && defined(TE_ARM_MVE)

TE_INLINE int32x4_t load_every(const int16_t *from, int stride, uint32x4_t offsets) {
  return stride == 1 ? vldrhq_s32(from) : vldrhq_gather_shifted_offset_s32(from, offsets);
}

/* Four outputs of a row at a time; the last four may overlap the four before. */
TE_INLINE void filter_vectors(const te_depthwise_conv_2d_3x3_int8_params *p, const int16_t *plane, int channel,
                              int8_t *output, te_steps step, int rows, int stride) {
  const te_planes *g = &p->planes;
  const int8_t *w = p->weights + 9 * channel;
  const int32_t w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], w4 = w[4], w5 = w[5], w6 = w[6], w7 = w[7], w8 = w[8];
  const int32_t multiplier = p->multiplier[channel], zero_point = p->output_zero_point;
  const int32_t pitch = g->pitch, down = pitch * g->stride_rows, last = g->output_columns - 4;
  const int shift = -p->shift[channel];
  const uint32x4_t counts = vidupq_n_u32(0, 1);
  const uint32x4_t from = vmulq_n_u32(counts, (uint32_t)stride), to = vmulq_n_u32(counts, (uint32_t)step.column);
  const int32x4_t bias = vdupq_n_s32(p->bias[channel]);
  const int32x4_t lowest = vdupq_n_s32(p->output_min), highest = vdupq_n_s32(p->output_max);
  for (; rows > 0; --rows, plane += down, output += step.row) {
    for (int32_t next = 0; next < last + 4; next += 4) {
      const int32_t x = te_min(next, last);
      const int16_t *row0 = plane + x * stride, *row1 = row0 + pitch, *row2 = row1 + pitch;
      int32x4_t sums = vmlaq_n_s32(bias, load_every(row0, stride, from), w0);
      sums = vmlaq_n_s32(sums, load_every(row0 + 1, stride, from), w1);
      sums = vmlaq_n_s32(sums, load_every(row0 + 2, stride, from), w2);
      sums = vmlaq_n_s32(sums, load_every(row1, stride, from), w3);
      sums = vmlaq_n_s32(sums, load_every(row1 + 1, stride, from), w4);
      sums = vmlaq_n_s32(sums, load_every(row1 + 2, stride, from), w5);
      sums = vmlaq_n_s32(sums, load_every(row2, stride, from), w6);
      sums = vmlaq_n_s32(sums, load_every(row2 + 1, stride, from), w7);
      sums = vmlaq_n_s32(sums, load_every(row2 + 2, stride, from), w8);
      sums = vqrdmulhq_n_s32(sums, multiplier);
      sums = vrshlq_n_s32(vaddq_s32(sums, vshrq_n_s32(sums, 31)), shift);
      sums = vminq_s32(vmaxq_s32(vaddq_n_s32(sums, zero_point), lowest), highest);
      vstrbq_scatter_offset_s32(output + x * step.column, to, sums);
    }
  }
}

#endif
#if defined(TE_ARM_DSP)

/* A row of outputs from 3 x 3 filters, two neighbours at a time. The weights of a row of the filter are
 * kept twice, as pairs (0, 1) and (1, 2), and doubled, since the scaling wants twice the sum. */
static __attribute__((noinline)) void row_3x3_stride_1(const uint32_t *x, int32_t pitch, const uint32_t w[6],
                                                       const te_plane_scaling *s, int8_t *to, int32_t step,
                                                       int count) {
  const uint32_t w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], w4 = w[4], w5 = w[5];
  const struct {
    int32_t multiplier, rounding, bias, shift, step;
    const int8_t *end;
    int32_t pitch;
  } k = {s->multiplier, s->rounding, s->bias, s->shift, step, to + (count >> 1) * 2 * step, 4 * pitch};
  int32_t a, b;
  uint32_t t, u;
  if (count > 1) {
    __asm__ volatile(
        "1:\n"
        "ldr %[b], [%[k], #8]\n"
        "ldrd %[t], %[u], [%[x]], #4\n"
        "smlad %[a], %[t], %[w0], %[b]\n"
        "smlatb %[b], %[t], %[w0], %[b]\n"
        "smlabt %[a], %[u], %[w1], %[a]\n"
        "smlad %[b], %[u], %[w1], %[b]\n"
        "ldr %[t], [%[k], #24]\n"
        "add %[t], %[t], %[x]\n"
        "ldrd %[t], %[u], [%[t], #-4]\n"
        "smlad %[a], %[t], %[w2], %[a]\n"
        "smlatb %[b], %[t], %[w2], %[b]\n"
        "smlabt %[a], %[u], %[w3], %[a]\n"
        "smlad %[b], %[u], %[w3], %[b]\n"
        "ldr %[t], [%[k], #24]\n"
        "add %[t], %[x], %[t], lsl #1\n"
        "ldrd %[t], %[u], [%[t], #-4]\n"
        "smlad %[a], %[t], %[w4], %[a]\n"
        "smlatb %[b], %[t], %[w4], %[b]\n"
        "smlabt %[a], %[u], %[w5], %[a]\n"
        "smlad %[b], %[u], %[w5], %[b]\n"
        "ldrd %[t], %[u], [%[k]]\n"
        "add %[u], %[u], %[a], asr #31\n"
        "smmlar %[a], %[a], %[t], %[u]\n"
        "ldr %[u], [%[k], #4]\n"
        "add %[u], %[u], %[b], asr #31\n"
        "smmlar %[b], %[b], %[t], %[u]\n"
        "ldrd %[t], %[u], [%[k], #12]\n"
        "asr %[a], %[a], %[t]\n"
        "asr %[b], %[b], %[t]\n"
        "ldr %[t], [%[k], #20]\n"
        "ssat %[a], #8, %[a]\n"
        "ssat %[b], #8, %[b]\n"
        "strb %[a], [%[to]]\n"
        "strb %[b], [%[to], %[u]]\n"
        "add %[to], %[to], %[u], lsl #1\n"
        "cmp %[to], %[t]\n"
        "bne 1b\n"
        : [x] "+r"(x), [to] "+r"(to), [a] "=&r"(a), [b] "=&r"(b), [t] "=&r"(t), [u] "=&r"(u)
        : [k] "r"(&k), [w0] "r"(w0), [w1] "r"(w1), [w2] "r"(w2), [w3] "r"(w3),
          [w4] "r"(w4), [w5] "r"(w5)
        : "memory", "cc");
  }
  if (count & 1) {
    a = te_dual_mac(x[0], w0, te_mac_low_high(x[1], w1, s->bias));
    x += pitch;
    a = te_dual_mac(x[0], w2, te_mac_low_high(x[1], w3, a));
    x += pitch;
    a = te_dual_mac(x[0], w4, te_mac_low_high(x[1], w5, a));
    *to = te_scaled_byte(a, s->multiplier, s->rounding, s->shift);
  }
}

static void row_3x3_stride_2(const uint32_t *x, int32_t pitch, const uint32_t w[6], const te_plane_scaling *s, int8_t *to,
                             int32_t step, int count) {
  const uint32_t *x1 = x + pitch, *x2 = x1 + pitch;
  for (; count > 0; --count) {
    int32_t a = te_dual_mac(x[0], w[0], s->bias);
    a = te_mac_low_high(x[1], w[1], a);
    ++x;
    a = te_dual_mac(x1[0], w[2], a);
    a = te_mac_low_high(x1[1], w[3], a);
    ++x1;
    a = te_dual_mac(x2[0], w[4], a);
    a = te_mac_low_high(x2[1], w[5], a);
    ++x2;
    *to = te_scaled_byte(a, s->multiplier, s->rounding, s->shift);
    to += step;
  }
}

static void clamp_row(const te_depthwise_conv_2d_3x3_int8_params *p, int8_t *to, int32_t step) {
  for (int x = 0; x < p->planes.output_columns; ++x, to += step) {
    *to = (int8_t)te_clamp(*to, p->output_min, p->output_max);
  }
}

static __attribute__((noinline)) void filter(const te_depthwise_conv_2d_3x3_int8_params *p,
                                             const int16_t *plane, int channel, int8_t *to, te_steps step,
                                             int rows) {
  const te_planes *g = &p->planes;
#if defined(TE_ARM_MVE)
  if (g->output_columns >= 4) {
    if (g->stride_columns == 1) {
      filter_vectors(p, plane, channel, to, step, rows, 1);
    } else {
      filter_vectors(p, plane, channel, to, step, rows, 2);
    }
    return;
  }
#endif
  const int8_t *weights = p->weights + 9 * channel;
  const int shift = p->shift[channel];
  const te_plane_scaling s = {p->multiplier[channel],
                              (2 * p->output_zero_point + 1) * ((int32_t)1 << (shift - 1)),
                              2 * p->bias[channel], shift};
  uint32_t w[6];
  for (int i = 0; i < 6; i += 2, weights += 3) {
    w[i] = (uint32_t)(uint16_t)(2 * weights[0]) | (uint32_t)(2 * weights[1]) << 16;
    w[i + 1] = (uint32_t)(uint16_t)(2 * weights[1]) | (uint32_t)(2 * weights[2]) << 16;
  }
  const uint32_t *x = (const uint32_t *)(const void *)plane;
  const int32_t pitch = g->pitch >> 1;
  for (; rows > 0; --rows, x += pitch * g->stride_rows, to += step.row) {
    if (g->stride_columns == 1) {
      row_3x3_stride_1(x, pitch, w, &s, to, step.column, g->output_columns);
    } else {
      row_3x3_stride_2(x, pitch, w, &s, to, step.column, g->output_columns);
    }
    if (p->output_min > -128 || p->output_max < 127) {
      clamp_row(p, to, step.column);
    }
  }
}

#else

static void filter(const te_depthwise_conv_2d_3x3_int8_params *p, const int16_t *plane, int channel,
                   int8_t *output, te_steps step, int rows) {
  const te_planes *g = &p->planes;
  const int8_t *w = p->weights + 9 * channel;
  for (; rows > 0; --rows, plane += (int32_t)g->stride_rows * g->pitch, output += step.row) {
    const int16_t *x0 = plane, *x1 = x0 + g->pitch, *x2 = x1 + g->pitch;
    int8_t *to = output;
    for (int x = 0; x < g->output_columns; ++x, to += step.column) {
      const int32_t sum = p->bias[channel] + x0[0] * w[0] + x0[1] * w[1] + x0[2] * w[2] + x1[0] * w[3] +
                          x1[1] * w[4] + x1[2] * w[5] + x2[0] * w[6] + x2[1] * w[7] + x2[2] * w[8];
      const int32_t scaled = te_requantize_right(sum, p->multiplier[channel], p->shift[channel]);
      *to = (int8_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
      x0 += g->stride_columns;
      x1 += g->stride_columns;
      x2 += g->stride_columns;
    }
  }
}

#endif

void te_depthwise_conv_2d_3x3_int8(const te_depthwise_conv_2d_3x3_int8_params *p, const int8_t *input,
                                   int8_t *output, void *scratch) {
  const te_planes *g = &p->planes;
  int16_t *const plane = (int16_t *)scratch;
  const te_steps step = te_output_steps(g);
  te_clear_plane(g, plane);
  for (int c = 0; c < g->channels; ++c, ++input) {
    for (int first = 0; first < g->output_rows; first += g->block_rows) {
      const int rows = te_min(g->block_rows, g->output_rows - first);
      te_take_plane(g, input, first, plane);
      for (int m = 0; m < g->depth_multiplier; ++m) {
        const int channel = c * g->depth_multiplier + m;
        filter(p, plane, channel, output + channel + first * step.row, step, rows);
      }
    }
  }
}
