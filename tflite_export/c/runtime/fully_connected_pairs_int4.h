#ifndef TE_FULLY_CONNECTED_PAIRS_INT4_H
#define TE_FULLY_CONNECTED_PAIRS_INT4_H

#include "fully_connected_pairs_int8.h"

/* Matrix product with constant 4-bit weights of two units in each byte, int8 data, one row.
 *
 * Unpacks the weights of four units to scratch, computes these, and goes on with the next four.
 *
 * product: as for te_fully_connected_pairs_int8 with rows = 1, but for `weights`, which are not looked at
 * packed: the numbers of `product.weights` in the same order, the odd unit in the high half of a byte
 * scratch: 24 * product.groups bytes, aligned to 4. Output must not overlap input. */
typedef struct {
  te_fully_connected_pairs_int8_params product;
  const uint8_t *packed;
} te_fully_connected_pairs_int4_params;

void te_fully_connected_pairs_int4(const te_fully_connected_pairs_int4_params *params, const int8_t *input,
                                   int8_t *output, void *scratch);

#endif
