#include "fully_connected_pairs_int4.h"

#include "fixed_point.h"
#include "unpack_int4.h"

void te_fully_connected_pairs_int4(const te_fully_connected_pairs_int4_params *p, const int8_t *input,
                                   int8_t *output, void *scratch) {
  int16_t *const numbers = (int16_t *)(void *)((char *)scratch + 8 * p->product.groups);
  const uint8_t *packed = p->packed;
  te_fully_connected_pairs_int8_params part = p->product;
  part.weights = numbers;
  for (int first = 0; first < p->product.units; first += 4) {
    const int scale = p->product.per_unit ? first : 0;
    packed = te_unpack_int4(numbers, packed, (int32_t)p->product.groups * 8);
    part.units = (uint16_t)te_min(4, p->product.units - first);
    part.bias = p->product.bias + first;
    part.multiplier = p->product.multiplier + scale;
    part.shift = p->product.shift + scale;
    te_fully_connected_pairs_int8(&part, input, output + first, scratch);
  }
}
