#include "tanh_int16.h"

#include "sigmoid.h"

void te_tanh_int16(const te_tanh_int16_params *p, const int16_t *input, int16_t *output) {
  for (uint32_t i = 0; i < p->count; ++i) {
    output[i] = te_tanh_q15(te_table_units(input[i], p->multiplier, p->shift), p->table);
  }
}
