#include "add_int8.h"

#include "fixed_point.h"

static int8_t *row(const te_add_int8_params *p, const int8_t *a, const int8_t *b, int8_t *output) {
  for (uint32_t i = 0; i < p->shape.extent[3]; ++i) {
    const int32_t first = te_requantize((*a - p->zero_point_1) * (1 << 20), p->multiplier_1, p->shift_1);
    const int32_t second = te_requantize((*b - p->zero_point_2) * (1 << 20), p->multiplier_2, p->shift_2);
    const int32_t sum = te_requantize(first + second, p->output_multiplier, p->output_shift);
    *output++ = (int8_t)te_clamp(sum + p->output_zero_point, p->output_min, p->output_max);
    a += p->shape.step_1[3];
    b += p->shape.step_2[3];
  }
  return output;
}

void te_add_int8(const te_add_int8_params *p, const int8_t *input_1, const int8_t *input_2, int8_t *output) {
  const te_broadcast *s = &p->shape;
  for (uint32_t i = 0; i < s->extent[0]; ++i, input_1 += s->step_1[0], input_2 += s->step_2[0]) {
    const int8_t *a = input_1, *b = input_2;
    for (uint32_t j = 0; j < s->extent[1]; ++j, a += s->step_1[1], b += s->step_2[1]) {
      const int8_t *c = a, *d = b;
      for (uint32_t k = 0; k < s->extent[2]; ++k, c += s->step_1[2], d += s->step_2[2]) {
        output = row(p, c, d, output);
      }
    }
  }
}
