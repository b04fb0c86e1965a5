#ifndef TE_REDUCE_H
#define TE_REDUCE_H

#include <stdint.h>

/* Loops over an array of which some dimensions are reduced, outermost first, unused ones 1.
 *
 * kept: extents of the output; kept_step: elements of the input that one step along each moves
 * reduced, reduced_step: the same for the dimensions that are folded into one value */
typedef struct {
  uint32_t kept[4];
  int32_t kept_step[4];
  uint32_t reduced[4];
  int32_t reduced_step[4];
} te_reduce;

#endif
