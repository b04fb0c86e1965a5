#ifndef TE_COPY_STRIDED_INT8_H
#define TE_COPY_STRIDED_INT8_H

#include <stdint.h>

/* Copies units of bytes between two regular arrangements of them, in the order of the loops.
 *
 * extent: loop counts, outermost first, unused ones 1; unit: bytes at a time
 * input_step, output_step: bytes that one step of each loop moves; may be negative, or 0 to repeat
 * Memory may overlap where no unit is written before it is read. */
typedef struct {
  uint32_t extent[5];
  int32_t input_step[5], output_step[5];
  uint32_t unit;
} te_copy_strided_int8_params;

void te_copy_strided_int8(const te_copy_strided_int8_params *params, const int8_t *input, int8_t *output);

#endif
