#ifndef TE_BROADCAST_H
#define TE_BROADCAST_H

#include <stdint.h>

/* How two operands spread over one output: the output's extents, outermost first, and for each
 * operand the step in elements that one step along that extent makes, 0 where it is repeated.
 * Unused outer extents are 1. */
typedef struct {
  uint32_t extent[4];
  int32_t step_1[4];
  int32_t step_2[4];
} te_broadcast;

#endif
