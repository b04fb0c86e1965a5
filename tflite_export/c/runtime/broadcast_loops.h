/* The body of a kernel with two operands. Defines
 *
 *   void TE_NAME(const TE_PARAMS *p, const TE_INPUT *input_1, const TE_INPUT_2 *input_2, TE_OUTPUT *output)
 *
 * from a function `element(p, a, b)` that returns one output; p has a te_broadcast named shape. It is
 * included once by each such kernel, after these names are defined, so it has no include guard. TE_INPUT_2
 * is TE_INPUT unless defined. */

#ifndef TE_INPUT_2
#define TE_INPUT_2 TE_INPUT
#endif

static TE_OUTPUT *row(const TE_PARAMS *p, const TE_INPUT *a, const TE_INPUT_2 *b, TE_OUTPUT *output) {
  const int32_t step_1 = p->shape.step_1[3], step_2 = p->shape.step_2[3];
  for (uint32_t i = 0; i < p->shape.extent[3]; ++i, a += step_1, b += step_2) {
    *output++ = (TE_OUTPUT)element(p, *a, *b);
  }
  return output;
}

void TE_NAME(const TE_PARAMS *p, const TE_INPUT *input_1, const TE_INPUT_2 *input_2, TE_OUTPUT *output) {
  const te_broadcast *s = &p->shape;
  for (uint32_t i = 0; i < s->extent[0]; ++i, input_1 += s->step_1[0], input_2 += s->step_2[0]) {
    const TE_INPUT *a = input_1;
    const TE_INPUT_2 *b = input_2;
    for (uint32_t j = 0; j < s->extent[1]; ++j, a += s->step_1[1], b += s->step_2[1]) {
      const TE_INPUT *c = a;
      const TE_INPUT_2 *d = b;
      for (uint32_t k = 0; k < s->extent[2]; ++k, c += s->step_1[2], d += s->step_2[2]) {
        output = row(p, c, d, output);
      }
    }
  }
}
