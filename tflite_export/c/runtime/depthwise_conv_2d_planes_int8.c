#include "depthwise_conv_2d_planes_int8.h"

static void filter(const te_depthwise_conv_2d_planes_int8_params *p, const int16_t *plane, int channel,
                   int8_t *output, te_steps step, int rows) {
  const te_planes *g = &p->planes;
  const int8_t *weights = p->weights + (int32_t)channel * p->filter_rows * p->filter_columns;
  const int32_t down = (int32_t)g->pitch * p->dilation_rows;
  for (int y = 0; y < rows; ++y, output += step.row, plane += (int32_t)g->stride_rows * g->pitch) {
    const int16_t *window = plane;
    int8_t *to = output;
    for (int x = 0; x < g->output_columns; ++x, window += g->stride_columns, to += step.column) {
      int32_t sum = p->bias[channel];
      const int8_t *w = weights;
      const int16_t *row = window;
      for (int fy = 0; fy < p->filter_rows; ++fy, row += down) {
        const int16_t *value = row;
        for (int fx = 0; fx < p->filter_columns; ++fx, value += p->dilation_columns) {
          sum += *value * *w++;
        }
      }
      const int32_t scaled = te_requantize_right(sum, p->multiplier[channel], p->shift[channel]);
      *to = (int8_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
    }
  }
}

void te_depthwise_conv_2d_planes_int8(const te_depthwise_conv_2d_planes_int8_params *p, const int8_t *input,
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
