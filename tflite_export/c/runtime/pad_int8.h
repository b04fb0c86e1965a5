#ifndef TE_PAD_INT8_H
#define TE_PAD_INT8_H

#include <stdint.h>

/* Surrounds an array with a value.
 *
 * extent: of the input, outermost first, unused ones 1; before, after: elements added on each side
 * The innermost extent and its padding are in bytes. value: the bytes of one element, repeated to four.
 * The output may lie below the input by as many bytes as are padded before the last input byte. */
typedef struct {
  uint32_t extent[5], before[5], after[5];
  uint8_t value[4];
} te_pad_int8_params;

void te_pad_int8(const te_pad_int8_params *params, const int8_t *input, int8_t *output);

#endif
