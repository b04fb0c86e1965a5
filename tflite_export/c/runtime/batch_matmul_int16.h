#ifndef TE_BATCH_MATMUL_INT16_H
#define TE_BATCH_MATMUL_INT16_H

#include <stdint.h>

/* Products of matrices, int16.
 *
 * batches: extents of the output's leading dimensions, unused ones 1; batch_step_*: elements that one step
 * along each moves in an operand, 0 where it is repeated
 * rows, depth, columns: output [rows][columns] = input_1 [rows][depth] times input_2 [depth][columns]
 * row_step, depth_step_1: elements between rows and columns of input_1, which may be stored transposed;
 * depth_step_2, column_step: the same for input_2
 * multiplier: 0 or [2^30, 2^31); shift: [-31, 7] */
typedef struct {
  uint16_t batches[3];
  int32_t batch_step_1[3], batch_step_2[3];
  uint16_t rows, depth, columns;
  uint16_t row_step, depth_step_1, depth_step_2, column_step;
  int16_t zero_point_1, zero_point_2, output_zero_point;
  int16_t output_min, output_max;
  int8_t shift;
  int32_t multiplier;
} te_batch_matmul_int16_params;

void te_batch_matmul_int16(const te_batch_matmul_int16_params *params, const int16_t *input_1, const int16_t *input_2,
                          int16_t *output);

#endif
