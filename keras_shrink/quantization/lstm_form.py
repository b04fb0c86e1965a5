"""An LSTM as the one integer operator that TFLM and the standalone C have for it."""

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.quantization.device_arithmetic import operands_on_device
from keras_shrink.quantization.device_lstm import gate_sums, next_state
from keras_shrink.quantization.fake_quant import SymmetricWeights
from keras_shrink.quantization.integer_grid import Grid
from keras_shrink.quantization.ranges import is_observing
from keras_shrink.quantization.recurrence import Recurrent
from keras_shrink.quantization.time_axis import reverse_time
from tflite_export.placed_lstm import PlacedLSTM, place_lstm
from tflite_export.tracing import can_place


@keras.saving.register_keras_serializable("keras_shrink")
class GateWeights(SymmetricWeights):
    """Rounds a kernel of several gates side by side, each to one scale.

    Args:
        gates: Number of gates that the last axis holds. Defaults to 4.
        num_bits: Width of the integers. Defaults to 8.
    """

    def __init__(self, gates=4, *, num_bits=8, **kwargs):
        super().__init__((0, 2), num_bits=num_bits, **kwargs)
        self.gates = gates

    def call(self, weight, training=None):
        """Returns `weight` rounded; same shape and dtype."""
        return tf.reshape(super().call(self.split(weight), training=training), weight.shape)

    def split(self, weight):
        """Returns the kernel as (rows, gates, units)."""
        return tf.reshape(weight, (weight.shape[0], self.gates, -1))

    def get_config(self):
        """The number of gates in place of the axes."""
        config = super().get_config()
        del config["reduce_axes"]
        return {**config, "gates": self.gates}


@keras.saving.register_keras_serializable("keras_shrink")
class LSTMAsOperator(Recurrent):
    """An LSTM as UNIDIRECTIONAL_SEQUENCE_LSTM: int8 weights and hidden state, int16 inside.

    What a gate takes in has steps of 2**-12 and saturates at 8, what it gives has steps of 2**-15, and
    the cell's step is the power of two that its range asks for. Training rounds the weights and the
    hidden state, beside which the others are fine; inference rounds all.

    The first layer of `inner` observes the cell, the second rounds the hidden state.
    """

    inside = 2

    @classmethod
    def planned(cls, layer, treatment, *, weights, outputs, **parts):
        """The operator has one scale for each gate's kernel."""
        exchanged = {name: [*chain[:-1], _of_gates(chain[-1])] for name, chain in weights.items()}
        return cls(layer, weights=exchanged, **parts)

    def initial_states(self, batch):
        """Hidden state and cell."""
        return (tf.zeros((batch, self.layer.units)),) * 2

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output, rounded; converted, it is the operator's place."""
        if not can_place():
            return super().run_layer(inputs, training, **kwargs)
        x = reverse_time(inputs) if self.layer.go_backwards else inputs
        sequence = self.inner[1](place_lstm(x, self._operator(x.shape[0])), training=False)
        return sequence if self.layer.return_sequences else sequence[:, -1]

    def begin(self, inputs, training):
        """The product with the inputs; the new hidden state and the new cell."""
        device = operands_on_device(self, training)
        if device is not None:
            return self._begin_on_device(inputs, device.grids[0])
        product = tf.matmul(inputs, self.weight("kernel", training))
        product = product if self.bias is None else product + self.bias
        recurrent = self.weight("recurrent_kernel", training)
        is_exact = not training and not is_observing()
        gate, unit = (_round_gate, _round_unit) if is_exact else (_as_it_is, _as_it_is)
        cell_range = self._cell_range() if is_exact else None

        def step(parts, states, take):
            hidden, cell = states
            sums = gate(parts[0] + gate(tf.matmul(hidden, recurrent)))
            i, f, new, o = tf.split(sums, 4, axis=-1)
            kept, added = unit(tf.sigmoid(f)) * cell, unit(tf.sigmoid(i)) * unit(tf.tanh(new))
            if is_exact:
                kept, added = (_round_to(x, *cell_range) for x in (kept, added))
                cell = _round_to(kept + added, *cell_range)
            else:
                cell = kept + added
            take(cell)  # for its range only, which says how the cell is rounded
            return take(unit(tf.sigmoid(o)) * unit(tf.tanh(cell))), cell

        return (gate(product),), step

    def _begin_on_device(self, inputs, grid):
        """As `begin`, with the integers of the operator."""
        hidden_grid, cell_step = Grid(self.inner[1]), tf.cast(-self._cell_range()[0], tf.float64) * 2.0**-15
        recurrent = self.weight("recurrent_kernel")
        scales = {name: self._scales(name) for name in ("kernel", "recurrent_kernel")}
        sums = gate_sums(inputs, grid, self.weight("kernel"), scales["kernel"], self.bias)

        def step(parts, states, take):
            hidden, cell = states
            gates = parts[0] + gate_sums(hidden, hidden_grid, recurrent, scales["recurrent_kernel"])
            hidden, cell = next_state(gates, cell, cell_step, hidden_grid)
            take(cell)
            return take(hidden), cell

        return (sums,), step

    def _scales(self, name):
        """Returns the steps of a kernel, one for each column."""
        transform = self.weight_transforms[f"{self.layer.cell.name}/{name}"][-1]
        scales = tf.reshape(transform.scale(transform.split(self.weight(name))), [-1, 1])
        return tf.reshape(tf.broadcast_to(scales, [4, self.layer.units]), [-1])

    def _cell_range(self):
        """Ends of the cell's 16 bits: its step is a power of two."""
        observer = self.inner[0]
        largest = tf.maximum(-tf.convert_to_tensor(observer.low), tf.convert_to_tensor(observer.high))
        end = 2.0 ** tf.math.ceil(tf.math.log(largest) / tf.math.log(2.0) - 1e-6)
        return -end, end * (1.0 - 2.0**-15)

    def _operator(self, batches):
        """The numbers of the operator; eager, since a file holds numbers."""
        with tf.init_scope():
            kernels, kernel_scales = self._integers("kernel")
            recurrent, recurrent_scales = self._integers("recurrent_kernel")
            units = self.layer.units
            bias = np.zeros(4 * units) if self.bias is None else self.bias.numpy()
            return PlacedLSTM(
                kernels=kernels,
                kernel_scales=kernel_scales,
                recurrent_kernels=recurrent,
                recurrent_scales=recurrent_scales,
                biases=list(bias.reshape(4, units)),
                cell_scale=float(-self._cell_range()[0]) / 2**15,
                batches=batches,
            )

    def _integers(self, name):
        """Returns the integers of a weight and their scales, gate by gate."""
        weight = self.weight(name)
        transform = self.weight_transforms[f"{self.layer.cell.name}/{name}"][-1]
        scales = np.resize(transform.scale(transform.split(weight)).numpy(), 4)
        gates = np.split(weight.numpy(), 4, axis=1)
        return [
            np.round(gate.T / scale).astype(np.int8) for gate, scale in zip(gates, scales, strict=True)
        ], [float(scale) for scale in scales]


def _of_gates(rounding):
    """Returns the rounding of a kernel with a scale for each gate, or still one for all."""
    gates = 1 if rounding.reduce_axes is None else 4
    return GateWeights(gates, num_bits=rounding.num_bits, name=rounding.name)


def _as_it_is(x):
    return x


def _round_gate(x):
    return tf.quantization.fake_quant_with_min_max_args(x, -8.0, 8.0 - 2.0**-12, num_bits=16)


def _round_unit(x):
    return tf.quantization.fake_quant_with_min_max_args(x, -1.0, 1.0 - 2.0**-15, num_bits=16)


def _round_to(x, low, high):
    return tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=16)
