#include "fully_connected_int8.h"

#include "fixed_point.h"

void te_fully_connected_int8(const te_fully_connected_int8_params *p, const int8_t *input, int8_t *output) {
  for (int row = 0; row < p->rows; ++row, input += p->depth) {
    const int8_t *weights = p->weights;
    const int32_t *multiplier = p->multiplier;
    const int8_t *shift = p->shift;
    for (int unit = 0; unit < p->units; ++unit, weights += p->depth) {
      int32_t sum = p->bias[unit];
      for (int d = 0; d < p->depth; ++d) {
        sum += input[d] * weights[d];
      }
      const int32_t scaled = te_requantize(sum, *multiplier, *shift);
      *output++ = (int8_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
      multiplier += p->per_unit;
      shift += p->per_unit;
    }
  }
}
