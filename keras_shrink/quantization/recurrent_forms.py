"""SimpleRNN, GRU and LSTM layers as the 8-bit operators that a device runs for each step.

Each operator's result is rounded; products with the inputs are made for all steps at once.
"""

import keras
import tensorflow as tf

from keras_shrink.quantization.recurrence import SIGMOID_END, SIGMOID_RANGE, TANH_END, TANH_RANGE, Recurrent


@keras.saving.register_keras_serializable("keras_shrink")
class SteppedSimpleRNN(Recurrent):
    """`h = activation(x W + b + h U)`."""

    outside = 1
    inside = 2

    def begin(self, inputs, training):
        """The product with the inputs; one new hidden state."""
        product = _affine(inputs, self.weight("kernel", training), self.bias)
        recurrent = self.weight("recurrent_kernel", training)
        activation = self.layer.activation
        fixed, end = {"tanh": (TANH_RANGE, TANH_END), "sigmoid": (SIGMOID_RANGE, SIGMOID_END)}.get(
            activation.__name__, (None, None)
        )

        def step(parts, states, take):
            total = parts[0] + take(tf.matmul(states[0], recurrent))
            if fixed is None:
                return (take(activation(total)),)
            return (self.fixed(activation(take(self.within(total, end, training))), *fixed, training),)

        return (self.inner[0](product, training=training),), step


class _Gated(Recurrent):
    """A layer some of whose columns are gates, behind a sigmoid, and the others new values, behind a tanh.

    Subclasses say in `columns(weight)` which are which.
    """

    outside = 2

    def project(self, inputs, bias, training):
        """Returns the rounded products of the inputs with the gates' columns and with the others."""
        kernels = self.columns(self.weight("kernel", training))
        biases = (None, None) if bias is None else self.columns(bias)
        return tuple(
            rounding(_affine(inputs, w, b), training=training)
            for rounding, w, b in zip(self.inner[:2], kernels, biases, strict=True)
        )

    def split(self, gates):
        """Returns gates side by side one by one."""
        # As slices: a split of which not all parts are read, as in the first step, stays float.
        units = self.layer.units
        return [gates[:, start : start + units] for start in range(0, gates.shape[1], units)]

    def sigmoid(self, x, take, training):
        """Returns the rounded sigmoid of a sum, which is rounded too."""
        return self.fixed(tf.sigmoid(take(self.within(x, SIGMOID_END, training))), *SIGMOID_RANGE, training)

    def tanh(self, x, take, training):
        """Returns the rounded tanh of a sum, which is rounded too."""
        return self.fixed(tf.tanh(take(self.within(x, TANH_END, training))), *TANH_RANGE, training)


@keras.saving.register_keras_serializable("keras_shrink")
class SteppedGRU(_Gated):
    """`z, r = sigmoid(x W + h U)`, `n = tanh(x W + r (h U))`, `h = z h + (1 - z) n`; or `(r h) U` in `n`."""

    inside = 8

    def columns(self, weight):
        """Keras has the order z, r, n."""
        return weight[..., : 2 * self.layer.units], weight[..., 2 * self.layer.units :]

    def begin(self, inputs, training):
        """The products with the inputs; one new hidden state."""
        resets_product = self.layer.reset_after
        bias, gate_bias, new_bias = self.bias, None, None
        if bias is not None and resets_product:
            (gate_bias, new_bias), bias = self.columns(bias[1]), bias[0]
        for_gates, for_new = self.columns(self.weight("recurrent_kernel", training))

        def step(parts, states, take):
            (hidden,) = states
            gates = self.sigmoid(parts[0] + take(_affine(hidden, for_gates, gate_bias)), take, training)
            keep, reset = self.split(gates)
            if resets_product:
                old = take(reset * take(_affine(hidden, for_new, new_bias)))
            else:
                old = take(tf.matmul(take(reset * hidden), for_new))
            new = self.tanh(parts[1] + old, take, training)
            rest = self.fixed(1.0 - keep, *SIGMOID_RANGE, training)
            return (take(take(keep * hidden) + take(rest * new)),)

        return self.project(inputs, bias, training), step


@keras.saving.register_keras_serializable("keras_shrink")
class SteppedLSTM(_Gated):
    """An LSTM whose cell state has 8 bits, for layers with `unroll=True`."""

    inside = 8

    def columns(self, weight):
        """Keras has the order i, f, new, o."""
        i, f, new, o = tf.split(weight, 4, axis=-1)
        return tf.concat([i, f, o], axis=-1), new

    def initial_states(self, batch):
        """Hidden state and cell."""
        return (tf.zeros((batch, self.layer.units)),) * 2

    def begin(self, inputs, training):
        """The products with the inputs; the new hidden state and the new cell."""
        for_gates, for_new = self.columns(self.weight("recurrent_kernel", training))

        def step(parts, states, take):
            hidden, cell = states
            gates = self.sigmoid(parts[0] + take(tf.matmul(hidden, for_gates)), take, training)
            accept, forget, show = self.split(gates)
            new = self.tanh(parts[1] + take(tf.matmul(hidden, for_new)), take, training)
            cell = take(take(forget * cell) + take(accept * new))
            return take(show * self.fixed(tf.tanh(cell), *TANH_RANGE, training)), cell

        return self.project(inputs, self.bias, training), step


def _affine(x, weight, bias):
    product = tf.matmul(x, weight)
    return product if bias is None else product + bias
