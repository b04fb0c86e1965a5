#include "copy_strided_int8.h"

/* The innermost loop. */
static void row(const te_copy_strided_int8_params *p, const int8_t *input, int8_t *output) {
  for (uint32_t i = 0; i < p->extent[4]; ++i, input += p->input_step[4], output += p->output_step[4]) {
    for (uint32_t byte = 0; byte < p->unit; ++byte) {
      output[byte] = input[byte];
    }
  }
}

void te_copy_strided_int8(const te_copy_strided_int8_params *p, const int8_t *input, int8_t *output) {
  uint32_t at[4] = {0, 0, 0, 0};
  for (;;) {
    row(p, input, output);
    int loop = 3;
    while (++at[loop] == p->extent[loop]) {
      const int32_t back = (int32_t)p->extent[loop] - 1;
      input -= back * p->input_step[loop];
      output -= back * p->output_step[loop];
      at[loop] = 0;
      if (loop-- == 0) {
        return;
      }
    }
    input += p->input_step[loop];
    output += p->output_step[loop];
  }
}
