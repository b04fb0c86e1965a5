#ifndef TE_PLANES_H
#define TE_PLANES_H

#include "fixed_point.h"

/* A channel of an image widened to 16 bits, with its padding around it, a block of rows at a time.
 *
 * image:  [input_rows][input_columns][channels], or [input_columns][input_rows][channels] where transposed
 * output: [output_rows][output_columns][channels * depth_multiplier], or likewise transposed
 * pitch: elements of a row of the plane, even
 * plane_rows: rows of the plane: those that block_rows rows of the output read, padding included
 * halo_rows: rows that a block shares with the one before it
 * zero_point: what padding counts as
 *
 * The plane takes 2 * pitch * plane_rows bytes, aligned to 4. */
typedef struct {
  uint8_t transposed;
  uint8_t stride_rows, stride_columns;
  uint16_t channels, depth_multiplier;
  uint16_t input_rows, input_columns;
  uint16_t output_rows, output_columns;
  uint16_t pad_rows, pad_columns;
  uint16_t pitch, plane_rows, block_rows, halo_rows;
  int16_t zero_point;
} te_planes;

/* Bytes from one element to the next in an image: down a row and along it. */
typedef struct {
  int32_t row, column;
} te_steps;

/* What brings the sums of a channel to the output's scale. */
typedef struct {
  int32_t multiplier, rounding, bias;
  int shift;
} te_plane_scaling;

TE_INLINE te_steps te_image_steps(int transposed, int rows, int columns, int32_t channels) {
  te_steps s = {columns * channels, channels};
  if (transposed) {
    s.row = channels;
    s.column = rows * channels;
  }
  return s;
}

TE_INLINE te_steps te_output_steps(const te_planes *g) {
  return te_image_steps(g->transposed, g->output_rows, g->output_columns,
                        (int32_t)g->channels * g->depth_multiplier);
}

/* Fills the plane with padding. */
void te_clear_plane(const te_planes *planes, int16_t *plane);

/* Fills the plane for the block of outputs that starts at row `first`; padding columns stay as they are. */
void te_take_plane(const te_planes *planes, const int8_t *channel, int first, int16_t *plane);

#endif
