#ifndef TE_SVDF_INT8_H
#define TE_SVDF_INT8_H

#include <stdint.h>

/* A dense layer whose outputs are remembered and filtered over time, int8 data, int8 state.
 *
 * input: [batches][depth]; state: [batches][filters][memory], oldest first; output: [batches][filters / rank]
 * feature_weights: [filters][depth]; feature_bias: [filters], the input's zero point folded in
 * time_weights: [filters][memory]; bias: [filters / rank]
 * *_multiplier: 0 or [2^30, 2^31); *_shift: [-31, 31] */
typedef struct {
  uint16_t batches, depth, filters, rank, memory;
  int16_t state_zero_point, output_zero_point;
  int8_t feature_shift, output_shift;
  int32_t feature_multiplier, output_multiplier;
  const int8_t *feature_weights;
  const int32_t *feature_bias;
  const int8_t *time_weights;
  const int32_t *bias;
} te_svdf_int8_params;

void te_svdf_int8(const te_svdf_int8_params *params, const int8_t *input, int8_t *state, int8_t *output);

#endif
