#include "svdf_int8_int16.h"

#include "fixed_point.h"

/* Takes in the newest feature of one filter and returns its memory weighed by time. */
static int32_t filter(const te_svdf_int8_int16_params *p, int index, const int8_t *input, int16_t *state) {
  const int8_t *weights = p->feature_weights + (int32_t)index * p->depth;
  int32_t sum = p->feature_bias[index];
  for (int i = 0; i < p->depth; ++i) {
    sum += weights[i] * input[i];
  }
  const int32_t feature = te_clamp(te_requantize(sum, p->feature_multiplier, p->feature_shift), -32768, 32767);
  const int16_t *times = p->time_weights + (int32_t)index * p->memory;
  int32_t total = 0;
  for (int i = 0; i + 1 < p->memory; ++i) {
    state[i] = state[i + 1];
    total += times[i] * (state[i] - p->state_zero_point);
  }
  state[p->memory - 1] = (int16_t)(p->state_zero_point + feature);
  return total + times[p->memory - 1] * (state[p->memory - 1] - p->state_zero_point);
}

void te_svdf_int8_int16(const te_svdf_int8_int16_params *p, const int8_t *input, int16_t *state, int8_t *output) {
  for (int batch = 0; batch < p->batches; ++batch, input += p->depth) {
    for (int index = 0, unit = 0; index < p->filters; ++unit) {
      int32_t sum = p->bias[unit];
      for (int r = 0; r < p->rank; ++r, ++index, state += p->memory) {
        sum += filter(p, index, input, state);
      }
      const int32_t scaled = te_requantize(sum, p->output_multiplier, p->output_shift);
      *output++ = (int8_t)te_clamp(scaled + p->output_zero_point, -128, 127);
    }
  }
}
