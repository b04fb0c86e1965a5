#include "conv_2d_pairs_int8.h"

#include "arm_dsp.h"
#include "arm_mve_int.h"
#include "fixed_point.h"

static void copy(int8_t *to, const int8_t *from, int count) {
#if defined(TE_ARM_MVE)
  te_copy_vector(to, from, count);
#else
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
#endif
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

#if defined(TE_ARM_MVE) || defined(TE_ARM_DSP)
#if defined(TE_ARM_MVE)
#include "conv_2d_pairs_mve.h"
#else
#include "conv_2d_pairs_dsp.h"
#endif

void te_conv_2d_pairs_int8(const te_conv_2d_pairs_int8_params *p, const int8_t *input, int8_t *output,
                           void *scratch) {
  const int pitch = p->output_pitch;
#if !defined(TE_ARM_MVE)
  int8_t *const first = output;
#endif
  int filled = 0;
  for (int batch = 0; batch < p->batches; ++batch) {
    for (int top = -p->pad_top, oy = 0; oy < p->output_height; ++oy, top += p->stride_height) {
      for (int left = -p->pad_left, ox = 0; ox < p->output_width; ++ox, left += p->stride_width) {
        take_window(p, input, top, left, scratch, filled);
        if (++filled == PIXELS) {
          multiply(p, scratch, output, output + pitch, output + 2 * pitch);
          output += PIXELS * pitch;
          filled = 0;
        }
      }
    }
    input += (int32_t)p->input_height * p->input_width * p->input_channels;
  }
  if (filled) { /* pixels that are not there go where one that is overwrites them */
    multiply(p, scratch, output, filled == 2 ? output + pitch : output, output);
    output += filled * pitch;
  }
#if !defined(TE_ARM_MVE)
  clamp(p, first, output);
#endif
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
        int8_t *to = output;
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
          *to++ = (int8_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
          if (channel + 1 < p->output_channels) {
            const int32_t odd = (int32_t)(mixed - (uint32_t)even + (uint32_t)before) / 256;
            scaled = te_requantize(odd + p->bias[channel + 1], p->multiplier[channel + 1], -p->shift[channel + 1]);
            *to++ = (int8_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
          }
        }
        output += p->output_pitch;
      }
    }
    input += (int32_t)p->input_height * p->input_width * p->input_channels;
  }
}

#endif
