#ifndef TE_CONV_2D_PAIRS_MVE_H
#define TE_CONV_2D_PAIRS_MVE_H

#include "arm_mve_int.h"

/* The vector form of conv_2d_pairs_int8.c, which includes it. */

#define PIXELS 3
#define CHANNELS 8 /* computed before they are scaled together */
#define BLOCK 16   /* taps of a pixel that stand together; the same taps of the other pixels follow */

/* Sums of three pixels: of the even channel, and 256 times the odd channel's plus the even one's. */
typedef struct {
  int32_t even0, even1, even2, mixed0, mixed1, mixed2;
} sums;

/* The window of a pixel, its taps in the order of the weights. */
static void take_window(const te_conv_2d_pairs_int8_params *p, const int8_t *image, int top, int left,
                        void *columns, int pixel) {
  static const uint8_t order[16] = {0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15};
  const uint8x16_t offsets = vldrbq_u8(order);
  int8_t *to = (int8_t *)columns + BLOCK * pixel;
  const int blocks = (p->groups + 3) >> 2;
  const int8_t *bytes = (const int8_t *)columns + PIXELS * BLOCK * blocks;
  gather(p, image, top, left, (int8_t *)columns + PIXELS * BLOCK * blocks);
  for (int32_t count = 4 * p->groups; count > 0; count -= BLOCK, bytes += BLOCK, to += PIXELS * BLOCK) {
    vstrbq_s8(to, vldrbq_gather_offset_z_s8(bytes, offsets, vctp8q((uint32_t)count)));
  }
}

/* The sums of three pixels; a vector holds 16 taps, or 8 where fewer than 16 are left. */
static const int16_t *multiply_pair(const int8_t *x, int groups, const int16_t *weights, sums *result) {
  sums s = {0, 0, 0, 0, 0, 0};
  int32_t odd0 = 0, odd1 = 0, odd2 = 0;
  for (int blocks = groups >> 2; blocks > 0; --blocks, weights += BLOCK, x += PIXELS * BLOCK) {
    const int8x16x2_t bytes = vld2q_s8((const int8_t *)weights);
    const int8x16_t even = bytes.val[0];
    const int8x16_t odd = vsubq_s8(bytes.val[1], vshrq_n_s8(even, 7)); /* takes the borrow back */
    const int8x16_t x0 = vldrbq_s8(x), x1 = vldrbq_s8(x + BLOCK), x2 = vldrbq_s8(x + 2 * BLOCK);
    s.even0 = vmladavaq_s8(s.even0, even, x0);
    s.even1 = vmladavaq_s8(s.even1, even, x1);
    s.even2 = vmladavaq_s8(s.even2, even, x2);
    odd0 = vmladavaq_s8(odd0, odd, x0);
    odd1 = vmladavaq_s8(odd1, odd, x1);
    odd2 = vmladavaq_s8(odd2, odd, x2);
  }
  for (int32_t left = 4 * (groups & 3); left > 0; left -= 8, x += 8) {
    const mve_pred16_t there = vctp16q((uint32_t)left);
    const int16x8_t numbers = vldrhq_z_s16(weights, there);
    const int16x8_t even = vmovlbq_s8(vreinterpretq_s8_s16(numbers));
    const int16x8_t odd = vshrq_n_s16(vsubq_s16(numbers, even), 8);
    const int16x8_t x0 = vldrbq_s16(x), x1 = vldrbq_s16(x + BLOCK), x2 = vldrbq_s16(x + 2 * BLOCK);
    s.even0 = vmladavaq_s16(s.even0, even, x0);
    s.even1 = vmladavaq_s16(s.even1, even, x1);
    s.even2 = vmladavaq_s16(s.even2, even, x2);
    odd0 = vmladavaq_s16(odd0, odd, x0);
    odd1 = vmladavaq_s16(odd1, odd, x1);
    odd2 = vmladavaq_s16(odd2, odd, x2);
    weights += left < 8 ? left : 8;
  }
  s.mixed0 = odd0;
  s.mixed1 = odd1;
  s.mixed2 = odd2;
  *result = s;
  return weights;
}

/* Every channel of three pixels; their windows stand in `columns`. */
static void multiply(const te_conv_2d_pairs_int8_params *p, const void *columns, int8_t *y0, int8_t *y1,
                     int8_t *y2) {
  int32_t found[PIXELS][CHANNELS];
  int8_t *const to[PIXELS] = {y0, y1, y2};
  const int16_t *weights = p->weights;
  for (int first = 0; first < p->output_channels; first += CHANNELS) {
    const int count = te_min(CHANNELS, p->output_channels - first);
    for (int c = 0; c < count; c += 2) {
      sums s;
      weights = multiply_pair((const int8_t *)columns, p->groups, weights, &s);
      found[0][c] = s.even0;
      found[0][c + 1] = s.mixed0;
      found[1][c] = s.even1;
      found[1][c + 1] = s.mixed1;
      found[2][c] = s.even2;
      found[2][c + 1] = s.mixed2;
    }
    for (int c = 0; c < count; c += 4) {
      const mve_pred16_t there = vctp32q((uint32_t)(count - c));
      const int32x4_t bias = vldrwq_z_s32(p->bias + first + c, there);
      const int32x4_t multiplier = vldrwq_z_s32(p->multiplier + first + c, there);
      const int32x4_t shift = vnegq_s32(vreinterpretq_s32_u32(vldrbq_z_u32(p->shift + first + c, there)));
      for (int pixel = PIXELS - 1; pixel >= 0; --pixel) {
        int32x4_t scaled = vqrdmulhq_s32(vaddq_s32(vldrwq_s32(found[pixel] + c), bias), multiplier);
        scaled = vrshlq_s32(vaddq_s32(scaled, vshrq_n_s32(scaled, 31)), shift);
        scaled = vaddq_n_s32(scaled, p->output_zero_point);
        scaled = vminq_s32(vmaxq_s32(scaled, vdupq_n_s32(p->output_min)), vdupq_n_s32(p->output_max));
        vstrbq_p_s32(to[pixel] + first + c, scaled, there);
      }
    }
  }
}

#endif
