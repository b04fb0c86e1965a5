#ifndef TE_MIRROR_PAD_INT8_H
#define TE_MIRROR_PAD_INT8_H

#include <stdint.h>

/* Surrounds an array with its own reflection.
 *
 * extent: of the output, outermost first, unused ones 1
 * source: for each loop, the input offset in bytes of every index of the output; unit: bytes copied at a
 * time */
typedef struct {
  uint32_t extent[4];
  const int32_t *source[4];
  uint32_t unit;
} te_mirror_pad_int8_params;

void te_mirror_pad_int8(const te_mirror_pad_int8_params *params, const int8_t *input, int8_t *output);

#endif
