#ifndef TE_ARG_MIN_INT8_H
#define TE_ARG_MIN_INT8_H

#include <stdint.h>

/* Where along one dimension the minimum is first found.
 *
 * input: [outer][size][inner]; output: [outer][inner] */
typedef struct {
  uint32_t outer, size, inner;
} te_arg_min_int8_params;

void te_arg_min_int8(const te_arg_min_int8_params *params, const int8_t *input, int32_t *output);

#endif
