#ifndef TE_GATHER_INT8_H
#define TE_GATHER_INT8_H

#include <stdint.h>

/* Picks slices of an array by index.
 *
 * input: [batches][outer][axis_size][inner bytes]; indices: [batches][count]
 * output: [batches][outer][count][inner bytes]
 * An index outside [0, axis_size) takes the nearest slice. */
typedef struct {
  uint32_t batches, outer, axis_size, inner, count;
} te_gather_int8_params;

void te_gather_int8(const te_gather_int8_params *params, const int8_t *input, const int32_t *indices,
                    int8_t *output);

#endif
