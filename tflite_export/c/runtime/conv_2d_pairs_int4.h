#ifndef TE_CONV_2D_PAIRS_INT4_H
#define TE_CONV_2D_PAIRS_INT4_H

#include "conv_2d_pairs_int8.h"

/* 2-D convolution, int8 data, 4-bit weights of two output channels in each byte.
 *
 * Unpacks the weights of some channels to scratch, computes these, and goes on with the next.
 *
 * conv: as for te_conv_2d_pairs_int8, but for `weights`, which are not looked at
 * packed: the numbers of `conv.weights` in the same order, the odd channel in the high half of a byte
 * block_channels: how many output channels are unpacked at a time, a multiple of 4, or all of them
 * unpacked_at: where in scratch they are unpacked to, in bytes: what `conv` needs, rounded up to 4
 * scratch: unpacked_at + 8 * conv.groups * (channels of a block + 1) / 2 bytes, aligned to 4
 *
 * With one block, output may overlap input as for te_conv_2d_pairs_int8; with several it must not. */
typedef struct {
  te_conv_2d_pairs_int8_params conv;
  const uint8_t *packed;
  uint16_t block_channels;
  uint32_t unpacked_at;
} te_conv_2d_pairs_int4_params;

void te_conv_2d_pairs_int4(const te_conv_2d_pairs_int4_params *params, const int8_t *input, int8_t *output,
                           void *scratch);

#endif
