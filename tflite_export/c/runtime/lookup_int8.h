#ifndef TE_LOOKUP_INT8_H
#define TE_LOOKUP_INT8_H

#include <stdint.h>

/* output[i] = table[input[i]], for 8-bit values of either sign taken as bytes.
 *
 * table: [256]; input and output may be the same memory */
typedef struct {
  uint32_t count;
  const uint8_t *table;
} te_lookup_int8_params;

void te_lookup_int8(const te_lookup_int8_params *params, const uint8_t *input, uint8_t *output);

#endif
