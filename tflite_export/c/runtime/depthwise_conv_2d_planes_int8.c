#include "depthwise_conv_2d_planes_int8.h"

#include "arm_dsp.h"
#include "fixed_point.h"

/* Bytes from one element to the next in an image: down a row and along it. */
typedef struct {
  int32_t row, column;
} steps;

typedef struct {
  int32_t bias, multiplier, rounding;
  int shift;
} scaling;

static steps image_steps(int transposed, int rows, int columns, int32_t channels) {
  steps s = {columns * channels, channels};
  if (transposed) {
    s.row = channels;
    s.column = rows * channels;
  }
  return s;
}

/* One channel of the image into the plane; what the plane holds around it stays. */
static void take_plane(const te_depthwise_conv_2d_planes_int8_params *p, const int8_t *input, steps step,
                       int16_t *plane) {
  int16_t *row = plane + p->pad_rows * p->pitch + p->pad_columns;
  const int rows = te_min(p->input_rows, p->plane_rows - p->pad_rows);
  const int columns = te_min(p->input_columns, p->pitch - p->pad_columns);
  for (int y = 0; y < rows; ++y, row += p->pitch, input += step.row) {
    const int8_t *from = input;
    int16_t *to = row, *const end = row + columns;
    for (; end - to >= 4; to += 4) {
      to[0] = *from;
      from += step.column;
      to[1] = *from;
      from += step.column;
      to[2] = *from;
      from += step.column;
      to[3] = *from;
      from += step.column;
    }
    for (; to != end; from += step.column) {
      *to++ = *from;
    }
  }
}

#if defined(TE_ARM_DSP)

/* Two neighbours in a row of the output, from 3 x 3 filters. The weights of a row are kept twice, as pairs
 * (0, 1) and (1, 2), and doubled, since the scaling wants twice the sum. */
TE_INLINE int8_t *row_3x3_stride_1(const uint32_t *x, int32_t pitch, const uint32_t w[6], const scaling *s,
                                   int8_t *to, int32_t step, int count) {
  const uint32_t *x1 = x + pitch, *x2 = x1 + pitch;
  for (; count > 0; count -= 2) {
    int32_t a = te_dual_mac(x[0], w[0], s->bias);
    int32_t b = te_mac_high_low(x[0], w[0], s->bias);
    a = te_mac_low_high(x[1], w[1], a);
    b = te_dual_mac(x[1], w[1], b);
    ++x;
    a = te_dual_mac(x1[0], w[2], a);
    b = te_mac_high_low(x1[0], w[2], b);
    a = te_mac_low_high(x1[1], w[3], a);
    b = te_dual_mac(x1[1], w[3], b);
    ++x1;
    a = te_dual_mac(x2[0], w[4], a);
    b = te_mac_high_low(x2[0], w[4], b);
    a = te_mac_low_high(x2[1], w[5], a);
    b = te_dual_mac(x2[1], w[5], b);
    ++x2;
    *to = te_scaled_byte(a, s->multiplier, s->rounding, s->shift);
    to += step;
    if (count > 1) {
      *to = te_scaled_byte(b, s->multiplier, s->rounding, s->shift);
      to += step;
    }
  }
  return to;
}

TE_INLINE int8_t *row_3x3_stride_2(const uint32_t *x, int32_t pitch, const uint32_t w[6], const scaling *s,
                                   int8_t *to, int32_t step, int count) {
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
  return to;
}

static __attribute__((noinline)) void plane_3x3(const te_depthwise_conv_2d_planes_int8_params *p,
                                                const int16_t *plane, const int8_t *weights, scaling s,
                                                int8_t *to, steps step) {
  uint32_t w[6];
  for (int i = 0; i < 3; ++i, weights += 3) {
    w[2 * i] = (uint32_t)(uint16_t)(2 * weights[0]) | (uint32_t)(2 * weights[1]) << 16;
    w[2 * i + 1] = (uint32_t)(uint16_t)(2 * weights[1]) | (uint32_t)(2 * weights[2]) << 16;
  }
  s.bias *= 2;
  const uint32_t *x = (const uint32_t *)(const void *)plane;
  const int32_t pitch = p->pitch >> 1, down = pitch * p->stride_rows;
  if (p->stride_columns == 1) {
    for (int y = 0; y < p->output_rows; ++y, x += down, to += step.row) {
      row_3x3_stride_1(x, pitch, w, &s, to, step.column, p->output_columns);
    }
  } else {
    for (int y = 0; y < p->output_rows; ++y, x += down, to += step.row) {
      row_3x3_stride_2(x, pitch, w, &s, to, step.column, p->output_columns);
    }
  }
}

#endif

static void plane_any(const te_depthwise_conv_2d_planes_int8_params *p, const int16_t *plane,
                      const int8_t *weights, const scaling *s, int8_t *output, steps step) {
  const int32_t down = (int32_t)p->pitch * p->dilation_rows;
  for (int y = 0; y < p->output_rows; ++y, output += step.row) {
    const int16_t *window = plane + (int32_t)y * p->stride_rows * p->pitch;
    int8_t *to = output;
    for (int x = 0; x < p->output_columns; ++x, window += p->stride_columns, to += step.column) {
      int32_t sum = s->bias;
      const int8_t *w = weights;
      const int16_t *row = window;
      for (int fy = 0; fy < p->filter_rows; ++fy, row += down) {
        const int16_t *value = row;
        for (int fx = 0; fx < p->filter_columns; ++fx, value += p->dilation_columns) {
          sum += *value * *w++;
        }
      }
      const int32_t scaled = te_requantize_right(sum, s->multiplier, s->shift);
      *to = (int8_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
    }
  }
}

void te_depthwise_conv_2d_planes_int8(const te_depthwise_conv_2d_planes_int8_params *p, const int8_t *input,
                                      int8_t *output, void *scratch) {
  int16_t *const plane = (int16_t *)scratch;
  const steps in = image_steps(p->transposed, p->input_rows, p->input_columns, p->channels);
  const steps out = image_steps(p->transposed, p->output_rows, p->output_columns,
                                (int32_t)p->channels * p->depth_multiplier);
  const int8_t *weights = p->weights;
  const int taps = p->filter_rows * p->filter_columns;
  for (int32_t i = 0; i < (int32_t)p->pitch * p->plane_rows; ++i) {
    plane[i] = p->input_zero_point;
  }
  int channel = 0;
  for (int c = 0; c < p->channels; ++c) {
    take_plane(p, input + c, in, plane);
    for (int m = 0; m < p->depth_multiplier; ++m, ++channel, weights += taps) {
      scaling s;
      s.bias = p->bias[channel];
      s.multiplier = p->multiplier[channel];
      s.shift = p->shift[channel];
#if defined(TE_ARM_DSP)
      if (p->filter_rows == 3 && p->filter_columns == 3 && p->dilation_rows == 1 && p->dilation_columns == 1 &&
          p->stride_columns <= 2 && p->output_min == -128 && p->output_max == 127) {
        s.rounding = (2 * p->output_zero_point + 1) * ((int32_t)1 << (s.shift - 1));
        plane_3x3(p, plane, weights, s, output + channel, out);
        continue;
      }
#endif
      plane_any(p, plane, weights, &s, output + channel, out);
    }
  }
}
