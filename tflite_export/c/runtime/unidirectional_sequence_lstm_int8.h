#ifndef TE_UNIDIRECTIONAL_SEQUENCE_LSTM_INT8_H
#define TE_UNIDIRECTIONAL_SEQUENCE_LSTM_INT8_H

#include <stdint.h>

/* One gate of an LSTM.
 *
 * input_weights: [units][depth]; recurrent_weights: [units][units]
 * *_bias: [units], the zero point of what they weigh folded in
 * *_multiplier: 0 or [2^30, 2^31), to Q3.12; *_shift: [-31, 7] */
typedef struct {
  const int8_t *input_weights;
  const int32_t *input_bias;
  int32_t input_multiplier;
  int8_t input_shift;
  const int8_t *recurrent_weights;
  const int32_t *recurrent_bias;
  int32_t recurrent_multiplier;
  int8_t recurrent_shift;
} te_lstm_gate_int8;

/* An LSTM over a sequence, int8 data, int8 weights, int16 cell state; the states outlive the call.
 *
 * input: [batches][steps][depth], or [steps][batches][depth] where time_major; output likewise with units
 * hidden, cell: [batches][units]
 * forget_*, update_*, hidden_*: scale of forget gate times cell, of input gate times candidate, and of output
 * gate times squashed cell; *_multiplier: 0 or [2^30, 2^31); *_shift: [-31, 0]
 * cell_clip: 0 for none
 * tanh_multiplier: [3, 32767], tanh_shift: [0, 15]: from the cell's scale to units of 1 / 12288
 * table: the logistic function in Q0.16 at 256 points 1/24 apart */
typedef struct {
  uint16_t batches, steps, depth, units;
  uint8_t time_major;
  uint8_t tanh_shift;
  int16_t cell_clip;
  int32_t tanh_multiplier;
  int16_t hidden_zero_point;
  int32_t forget_multiplier, update_multiplier, hidden_multiplier;
  int8_t forget_shift, update_shift, hidden_shift;
  te_lstm_gate_int8 input_gate, forget_gate, cell_gate, output_gate;
  const uint16_t *table;
} te_unidirectional_sequence_lstm_int8_params;

void te_unidirectional_sequence_lstm_int8(const te_unidirectional_sequence_lstm_int8_params *params,
                                       const int8_t *input, int8_t *hidden, int16_t *cell, int8_t *output);

#endif
