#ifndef TE_RESIZE_BILINEAR_INT8_H
#define TE_RESIZE_BILINEAR_INT8_H

#include <stdint.h>

/* Interpolates an image to another size, int8.
 *
 * input: [batches][input_height][input_width][channels]
 * output: [batches][output_height][output_width][channels], same scale and zero point
 * rows: [output_height][3], columns: [output_width][3]: the two rows or columns of the input between which
 * one of the output lies, and how far it is from the first to the second in 1/1024: [-512, 1023] */
typedef struct {
  uint16_t batches;
  uint16_t input_height, input_width, channels, output_height, output_width;
  const int16_t *rows, *columns;
} te_resize_bilinear_int8_params;

void te_resize_bilinear_int8(const te_resize_bilinear_int8_params *params, const int8_t *input,
                             int8_t *output);

#endif
