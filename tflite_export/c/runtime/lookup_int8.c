#include "lookup_int8.h"

void te_lookup_int8(const te_lookup_int8_params *p, const uint8_t *input, uint8_t *output) {
  const uint8_t *table = p->table;
  for (uint32_t i = 0; i < p->count; ++i) {
    output[i] = table[input[i]];
  }
}
