#ifndef TE_UNPACK_INT4_H
#define TE_UNPACK_INT4_H

#include <stdint.h>

#include "compiler.h"

/* Bytes with two 4-bit weights each to numbers 256 * (weight in the high bits) + (weight in the low bits).
 * Returns what follows the bytes. */
TE_INLINE const uint8_t *te_unpack_int4(int16_t *to, const uint8_t *from, int32_t count) {
  for (; count > 0; --count) {
    const int byte = *from++;
    const int high = ((byte >> 4) ^ 8) - 8, low = ((byte & 15) ^ 8) - 8;
    *to++ = (int16_t)(256 * high + low);
  }
  return from;
}

#endif
