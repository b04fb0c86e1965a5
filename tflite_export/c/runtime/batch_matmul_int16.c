#include "batch_matmul_int16.h"

#include "requantize_64.h"

static int16_t *matrix(const te_batch_matmul_int16_params *p, const int16_t *a, const int16_t *b, int16_t *output) {
  for (uint32_t i = 0; i < p->rows; ++i) {
    for (uint32_t j = 0; j < p->columns; ++j) {
      const int16_t *left = a + i * p->row_step, *right = b + j * p->column_step;
      int64_t sum = 0;
      for (uint32_t k = 0; k < p->depth; ++k, left += p->depth_step_1, right += p->depth_step_2) {
        sum += (int64_t)(*left - p->zero_point_1) * (*right - p->zero_point_2);
      }
      const int32_t scaled = te_requantize_64(sum, p->multiplier, p->shift);
      *output++ = (int16_t)te_clamp(scaled + p->output_zero_point, p->output_min, p->output_max);
    }
  }
  return output;
}

void te_batch_matmul_int16(const te_batch_matmul_int16_params *p, const int16_t *input_1, const int16_t *input_2,
                          int16_t *output) {
  for (uint32_t i = 0; i < p->batches[0]; ++i, input_1 += p->batch_step_1[0], input_2 += p->batch_step_2[0]) {
    const int16_t *a = input_1, *b = input_2;
    for (uint32_t j = 0; j < p->batches[1]; ++j, a += p->batch_step_1[1], b += p->batch_step_2[1]) {
      const int16_t *c = a, *d = b;
      for (uint32_t k = 0; k < p->batches[2]; ++k, c += p->batch_step_1[2], d += p->batch_step_2[2]) {
        output = matrix(p, c, d, output);
      }
    }
  }
}
