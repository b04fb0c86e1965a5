/* The body of a softmax kernel. Defines
 *
 *   void TE_NAME(const TE_PARAMS *p, const TE_INPUT *input, TE_OUTPUT *output)
 *
 * from the output's width TE_BITS, its bounds TE_LOW and TE_HIGH and the input's least value TE_LEAST. It is
 * included once by each such kernel, after these names are defined, so it has no include guard. Where no
 * TE_EXP(p, distance) is defined, p->exps has the exponentials. */

#ifndef TE_EXP
#define TE_EXP(p, distance) ((p)->exps[distance])
#endif

void TE_NAME(const TE_PARAMS *p, const TE_INPUT *input, TE_OUTPUT *output) {
  for (uint32_t row = 0; row < p->rows; ++row, input += p->depth, output += p->depth) {
    int32_t largest = TE_LEAST;
    for (uint32_t i = 0; i < p->depth; ++i) {
      largest = te_max(largest, input[i]);
    }
    int32_t sum = 0; /* Q12.19 */
    for (uint32_t i = 0; i < p->depth; ++i) {
      const int32_t distance = largest - input[i];
      if (distance < p->exps_count) {
        sum += te_shift_right(TE_EXP(p, distance), 12);
      }
    }
    int exponent;
    const int32_t scale = te_reciprocal(sum, 12, &exponent);
    exponent += 31 - TE_BITS;
    for (uint32_t i = 0; i < p->depth; ++i) {
      const int32_t distance = largest - input[i];
      int32_t value = TE_LOW;
      if (distance < p->exps_count) {
        value += te_shift_right(te_high_mul(scale, TE_EXP(p, distance)), exponent);
      }
      output[i] = (TE_OUTPUT)te_min(value, TE_HIGH);
    }
  }
}
