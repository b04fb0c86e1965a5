#ifndef TE_RESIZE_NEAREST_INT8_H
#define TE_RESIZE_NEAREST_INT8_H

#include <stdint.h>

/* Picks the nearest pixel of an image for each pixel of another size.
 *
 * input: [batches][input_height][input_width][pixel bytes]
 * output: [batches][output_height][output_width][pixel bytes]
 * rows: [output_height], columns: [output_width]: the input's row and column for each of the output's */
typedef struct {
  uint16_t batches;
  uint16_t input_height, input_width, output_height, output_width;
  uint32_t pixel;
  const uint16_t *rows, *columns;
} te_resize_nearest_int8_params;

void te_resize_nearest_int8(const te_resize_nearest_int8_params *params, const int8_t *input, int8_t *output);

#endif
