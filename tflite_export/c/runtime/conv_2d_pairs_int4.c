#include "conv_2d_pairs_int4.h"

#include "fixed_point.h"
#include "unpack_int4.h"

void te_conv_2d_pairs_int4(const te_conv_2d_pairs_int4_params *p, const int8_t *input, int8_t *output,
                           void *scratch) {
  int16_t *const numbers = (int16_t *)(void *)((char *)scratch + p->unpacked_at);
  const uint8_t *packed = p->packed;
  te_conv_2d_pairs_int8_params part = p->conv;
  part.weights = numbers;
  for (int first = 0; first < p->conv.output_channels; first += p->block_channels) {
    const int count = te_min(p->block_channels, p->conv.output_channels - first);
    packed = te_unpack_int4(numbers, packed, (int32_t)((count + 1) / 2) * p->conv.groups * 4);
    part.output_channels = (uint16_t)count;
    part.bias = p->conv.bias + first;
    part.multiplier = p->conv.multiplier + first;
    part.shift = p->conv.shift + first;
    te_conv_2d_pairs_int8(&part, input, output + first, scratch);
  }
}
