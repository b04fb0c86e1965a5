#include "average_pool_2d_int16.h"

#include "fixed_point.h"

void te_average_pool_2d_int16(const te_average_pool_2d_int16_params *p, const int16_t *input, int16_t *output) {
  for (int batch = 0; batch < p->batches; ++batch) {
    for (int oy = 0; oy < p->output_height; ++oy) {
      const int top = te_max(oy * p->stride_height - p->pad_top, 0);
      const int bottom = te_min(oy * p->stride_height - p->pad_top + p->filter_height, p->input_height);
      for (int ox = 0; ox < p->output_width; ++ox) {
        const int left = te_max(ox * p->stride_width - p->pad_left, 0);
        const int right = te_min(ox * p->stride_width - p->pad_left + p->filter_width, p->input_width);
        const int32_t count = (int32_t)(bottom - top) * (right - left);
        for (int channel = 0; channel < p->channels; ++channel) {
          int32_t sum = 0;
          for (int y = top; y < bottom; ++y) {
            const int16_t *value = input + ((int32_t)y * p->input_width + left) * p->channels + channel;
            for (int x = left; x < right; ++x, value += p->channels) {
              sum += *value;
            }
          }
          sum = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
          *output++ = (int16_t)te_clamp(sum, p->output_min, p->output_max);
        }
      }
    }
    input += (int32_t)p->input_height * p->input_width * p->channels;
  }
}
