#ifndef TE_ARG_MAX_INT8_H
#define TE_ARG_MAX_INT8_H

#include <stdint.h>

/* Where along one dimension the maximum is first found.
 *
 * input: [outer][size][inner]; output: [outer][inner] */
typedef struct {
  uint32_t outer, size, inner;
} te_arg_max_int8_params;

void te_arg_max_int8(const te_arg_max_int8_params *params, const int8_t *input, int32_t *output);

#endif
