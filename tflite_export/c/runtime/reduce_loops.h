/* The body of a kernel that folds dimensions. Defines
 *
 *   void TE_NAME(const TE_PARAMS *p, const TE_TYPE *input, TE_TYPE *output)
 *
 * from `fold(accumulator, value)`, `finish(p, accumulator)` and TE_START; p has a te_reduce named shape. It
 * is included once by each such kernel, after these names are defined, so it has no include guard. */

static int32_t one(const TE_PARAMS *p, const TE_TYPE *input) {
  const te_reduce *s = &p->shape;
  int32_t accumulator = TE_START;
  for (uint32_t i = 0; i < s->reduced[0]; ++i, input += s->reduced_step[0]) {
    const TE_TYPE *a = input;
    for (uint32_t j = 0; j < s->reduced[1]; ++j, a += s->reduced_step[1]) {
      const TE_TYPE *b = a;
      for (uint32_t k = 0; k < s->reduced[2]; ++k, b += s->reduced_step[2]) {
        const TE_TYPE *c = b;
        for (uint32_t m = 0; m < s->reduced[3]; ++m, c += s->reduced_step[3]) {
          accumulator = fold(accumulator, *c);
        }
      }
    }
  }
  return accumulator;
}

void TE_NAME(const TE_PARAMS *p, const TE_TYPE *input, TE_TYPE *output) {
  const te_reduce *s = &p->shape;
  for (uint32_t i = 0; i < s->kept[0]; ++i, input += s->kept_step[0]) {
    const TE_TYPE *a = input;
    for (uint32_t j = 0; j < s->kept[1]; ++j, a += s->kept_step[1]) {
      const TE_TYPE *b = a;
      for (uint32_t k = 0; k < s->kept[2]; ++k, b += s->kept_step[2]) {
        const TE_TYPE *c = b;
        for (uint32_t m = 0; m < s->kept[3]; ++m, c += s->kept_step[3]) {
          *output++ = (TE_TYPE)finish(p, one(p, c));
        }
      }
    }
  }
}
