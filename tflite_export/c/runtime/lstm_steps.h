/* The body of an LSTM kernel. Defines
 *
 *   void TE_NAME(const TE_PARAMS *p, const TE_DATA *input, TE_DATA *hidden, int16_t *cell, TE_DATA *output)
 *
 * from TE_GATE, the type of sums TE_SUM, TE_REQUANTIZE and the bounds TE_LOW and TE_HIGH of the data. It is
 * included once by each such kernel, after these names are defined, so it has no include guard. */

static TE_SUM dot(const TE_DATA *values, const int8_t *weights, int count, TE_SUM sum) {
  for (int i = 0; i < count; ++i) {
    sum += values[i] * weights[i];
  }
  return sum;
}

/* What a gate of one unit takes in, in Q3.12. */
static int32_t gate(const TE_PARAMS *p, const TE_GATE *g, int unit, const TE_DATA *input, const TE_DATA *hidden) {
  const TE_SUM fresh = dot(input, g->input_weights + (int32_t)unit * p->depth, p->depth, g->input_bias[unit]);
  const TE_SUM old =
      dot(hidden, g->recurrent_weights + (int32_t)unit * p->units, p->units, g->recurrent_bias[unit]);
  const int32_t first = te_clamp(TE_REQUANTIZE(fresh, g->input_multiplier, g->input_shift), -32768, 32767);
  const int32_t second = te_clamp(TE_REQUANTIZE(old, g->recurrent_multiplier, g->recurrent_shift), -32768, 32767);
  return te_clamp(first + second, -32768, 32767);
}

static int32_t product(int32_t a, int32_t b, int32_t multiplier, int shift) {
  return te_requantize(a * b, multiplier, shift);
}

/* One unit at one step: moves its cell and returns its new hidden value. */
static TE_DATA advance(const TE_PARAMS *p, int unit, const TE_DATA *input, const TE_DATA *hidden, int16_t *cell) {
  const int32_t forget = te_logistic_q15(3 * gate(p, &p->forget_gate, unit, input, hidden), p->table);
  const int32_t accept = te_logistic_q15(3 * gate(p, &p->input_gate, unit, input, hidden), p->table);
  const int32_t candidate = te_tanh_q15(3 * gate(p, &p->cell_gate, unit, input, hidden), p->table);
  const int32_t show = te_logistic_q15(3 * gate(p, &p->output_gate, unit, input, hidden), p->table);
  const int32_t kept = te_clamp(product(forget, *cell, p->forget_multiplier, p->forget_shift), -32768, 32767);
  const int32_t added =
      te_clamp(product(accept, candidate, p->update_multiplier, p->update_shift), -32768, 32767);
  int32_t value = te_clamp(kept + added, -32768, 32767);
  if (p->cell_clip > 0) {
    value = te_clamp(value, -p->cell_clip, p->cell_clip);
  }
  *cell = (int16_t)value;
  const int32_t squashed = te_tanh_q15(te_table_units(value, p->tanh_multiplier, p->tanh_shift), p->table);
  const int32_t scaled = product(squashed, show, p->hidden_multiplier, p->hidden_shift);
  return (TE_DATA)te_clamp(scaled + p->hidden_zero_point, TE_LOW, TE_HIGH);
}

void TE_NAME(const TE_PARAMS *p, const TE_DATA *input, TE_DATA *hidden, int16_t *cell, TE_DATA *output) {
  for (int batch = 0; batch < p->batches; ++batch, hidden += p->units, cell += p->units) {
    for (int step = 0; step < p->steps; ++step) {
      const int32_t place = p->time_major ? (int32_t)step * p->batches + batch : (int32_t)batch * p->steps + step;
      TE_DATA *fresh = output + place * p->units;
      for (int unit = 0; unit < p->units; ++unit) {
        fresh[unit] = advance(p, unit, input + place * p->depth, hidden, cell + unit);
      }
      for (int unit = 0; unit < p->units; ++unit) {
        hidden[unit] = fresh[unit];
      }
    }
  }
}
