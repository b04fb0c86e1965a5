#include "planes.h"

#include "arm_mve_int.h"

void te_clear_plane(const te_planes *g, int16_t *plane) {
  for (int32_t i = 0; i < (int32_t)g->pitch * g->plane_rows; ++i) {
    plane[i] = g->zero_point;
  }
}

void te_take_plane(const te_planes *g, const int8_t *channel, int first, int16_t *plane) {
  const te_steps step = te_image_steps(g->transposed, g->input_rows, g->input_columns, g->channels);
  const int columns = te_min(g->input_columns, g->pitch - g->pad_columns);
  int y = 0;
  if (first) {
    const int16_t *from = plane + (int32_t)g->block_rows * g->stride_rows * g->pitch;
    int16_t *const end = plane + g->halo_rows * g->pitch;
    for (int16_t *to = plane; to != end;) {
      *to++ = *from++;
      *to++ = *from++;
    }
    y = g->halo_rows;
  }
  for (int row = first * g->stride_rows - g->pad_rows + y; y < g->plane_rows; ++y, ++row) {
    int16_t *to = plane + y * g->pitch + g->pad_columns, *const end = to + columns;
    if (row < 0 || row >= g->input_rows) {
      while (to != end && g->block_rows < g->output_rows) {
        *to++ = g->zero_point;
      }
      continue;
    }
    const int8_t *from = channel + row * step.row;
    const int32_t next = step.column;
#if defined(TE_ARM_MVE)
    if (columns >= 8 && next < 8192) { /* the last eight may overlap the eight before */
      const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)next);
      for (int x = 0; x < columns; x += 8) {
        x = te_min(x, columns - 8);
        vstrhq_s16(to + x, vldrbq_gather_offset_s16(from + x * next, offsets));
      }
      continue;
    }
#endif
    if (columns & 1) {
      *to++ = *from;
      from += next;
    }
    if (columns & 2) {
      *to++ = *from;
      *to++ = from[next];
      from += 2 * next;
    }
    for (; to != end; to += 4, from += 2 * next) {
      to[0] = from[0];
      to[1] = from[next];
      from += 2 * next;
      to[2] = from[0];
      to[3] = from[next];
    }
  }
}
