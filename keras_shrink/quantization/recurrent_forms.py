"""SimpleRNN, GRU and LSTM layers as the 8-bit operators that a device runs for each step.

Each operator's result is rounded; products with the inputs are made for all steps at once.
"""

import keras
import tensorflow as tf

from keras_shrink.quantization.device_arithmetic import Sums, Terms, operands_on_device, rounded
from keras_shrink.quantization.integer_grid import Grid
from keras_shrink.quantization.ranges import FixedRange
from keras_shrink.quantization.recurrence import SIGMOID_END, SIGMOID_RANGE, TANH_END, TANH_RANGE, Recurrent

_SIGMOID, _TANH = Grid(FixedRange(*SIGMOID_RANGE)), Grid(FixedRange(*TANH_RANGE))


class _Stepped(Recurrent):
    """A layer whose steps are products, sums and activations, each rounded to 8 bits."""

    def sums(self, grid, name, weight, bias=None):
        """Returns what a device sums in a product with the columns of a weight, None for no device's.

        Args:
            grid: Of the other factor, None for no device's.
            name: Of the weight in the cell.
            weight: The columns.
            bias: What is added, or None.
        """
        if grid is None:
            return None
        return Sums.of_kernel(
            grid, self, f"{self.layer.cell.name}/{name}", weight, 0.0 if bias is None else bias
        )

    def grids(self, training):
        """Returns the grid of the inputs and those of all values inside; Nones without a device."""
        device = operands_on_device(self, training)
        if device is None:
            return None, [None] * len(self.inner)
        return device.grids[0], [Grid(quantizer) for quantizer in self.inner]


@keras.saving.register_keras_serializable("keras_shrink")
class SteppedSimpleRNN(_Stepped):
    """`h = activation(x W + b + h U)`."""

    outside = 1
    inside = 2

    @property
    def result_range(self):
        """What rounds the output."""
        fixed, _ = self._known_range()
        return self.inner[-1] if fixed is None else FixedRange(*fixed)

    def _known_range(self):
        """Returns the range of the activation's results, and the inputs beyond which they do not change."""
        known = {"tanh": (TANH_RANGE, TANH_END), "sigmoid": (SIGMOID_RANGE, SIGMOID_END)}
        return known.get(self.layer.activation.__name__, (None, None))

    def begin(self, inputs, training):
        """The product with the inputs; one new hidden state."""
        kernel, recurrent = self.weight("kernel", training), self.weight("recurrent_kernel", training)
        activation, (fixed, end) = self.layer.activation, self._known_range()
        grid, (of_product, of_old, _) = self.grids(training)
        of_hidden = None if grid is None else Grid(self.result_range)
        from_hidden = self.sums(of_hidden, "recurrent_kernel", recurrent)

        def step(parts, states, take):
            old = take(tf.matmul(states[0], recurrent), from_hidden)
            total, terms = parts[0] + old, _terms(parts[0], old, of_product, of_old)
            if fixed is None:
                return (take(activation(total), terms),)
            total = take(self.within(total, end, training), terms)
            return (self.fixed(activation(total), *fixed, training),)

        sums = self.sums(grid, "kernel", kernel, self.bias)
        return (rounded(self.inner[0], _affine(inputs, kernel, self.bias), sums, training),), step


class _Gated(_Stepped):
    """A layer some of whose columns are gates, behind a sigmoid, and the others new values, behind a tanh.

    Subclasses say in `columns(weight)` which are which.
    """

    outside = 2

    def project(self, inputs, bias, grid, training):
        """Returns the rounded products of the inputs with the gates' columns and with the others."""
        kernels = self.columns(self.weight("kernel", training))
        biases = (None, None) if bias is None else self.columns(bias)
        return tuple(
            rounded(rounding, _affine(inputs, w, b), self.sums(grid, "kernel", w, b), training)
            for rounding, w, b in zip(self.inner[:2], kernels, biases, strict=True)
        )

    def split(self, gates):
        """Returns gates side by side one by one."""
        # As slices: a split of which not all parts are read, as in the first step, stays float.
        units = self.layer.units
        return [gates[:, start : start + units] for start in range(0, gates.shape[1], units)]

    def sigmoid(self, x, terms, take, training):
        """Returns the rounded sigmoid of a sum, which is rounded too."""
        total = take(self.within(x, SIGMOID_END, training), terms)
        return self.fixed(tf.sigmoid(total), *SIGMOID_RANGE, training)

    def tanh(self, x, terms, take, training):
        """Returns the rounded tanh of a sum, which is rounded too."""
        total = take(self.within(x, TANH_END, training), terms)
        return self.fixed(tf.tanh(total), *TANH_RANGE, training)


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
        grid, (of_gates, of_new, of_old_gates, _, of_third, of_old_new, _, of_kept, of_added, of_hidden) = (
            self.grids(training)
        )
        gate_sums = self.sums(of_hidden, "recurrent_kernel", for_gates, gate_bias)
        new_sums = self.sums(of_hidden if resets_product else of_third, "recurrent_kernel", for_new, new_bias)

        def step(parts, states, take):
            (hidden,) = states
            old = take(_affine(hidden, for_gates, gate_bias), gate_sums)
            terms = _terms(parts[0], old, of_gates, of_old_gates)
            keep, reset = self.split(self.sigmoid(parts[0] + old, terms, take, training))
            if resets_product:
                old = take(_affine(hidden, for_new, new_bias), new_sums)
                old = take(reset * old, _product(of_hidden and _SIGMOID, of_third))
            else:
                old = take(reset * hidden, _product(of_hidden and _SIGMOID, of_hidden))
                old = take(tf.matmul(old, for_new), new_sums)
            new = self.tanh(parts[1] + old, _terms(parts[1], old, of_new, of_old_new), take, training)
            rest = self.fixed(1.0 - keep, *SIGMOID_RANGE, training)
            kept = take(keep * hidden, _product(of_hidden and _SIGMOID, of_hidden))
            added = take(rest * new, _product(of_hidden and _SIGMOID, _TANH))
            return (take(kept + added, _terms(kept, added, of_kept, of_added)),)

        return self.project(inputs, bias, grid, training), step


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
        grid, (of_gates, of_new, of_old_gates, _, of_old_new, _, of_kept, of_added, of_cell, of_hidden) = (
            self.grids(training)
        )
        gate_sums = self.sums(of_hidden, "recurrent_kernel", for_gates)
        new_sums = self.sums(of_hidden, "recurrent_kernel", for_new)

        def step(parts, states, take):
            hidden, cell = states
            old = take(tf.matmul(hidden, for_gates), gate_sums)
            terms = _terms(parts[0], old, of_gates, of_old_gates)
            accept, forget, show = self.split(self.sigmoid(parts[0] + old, terms, take, training))
            old = take(tf.matmul(hidden, for_new), new_sums)
            new = self.tanh(parts[1] + old, _terms(parts[1], old, of_new, of_old_new), take, training)
            kept = take(forget * cell, _product(of_cell and _SIGMOID, of_cell))
            added = take(accept * new, _product(of_cell and _SIGMOID, _TANH))
            cell = take(kept + added, _terms(kept, added, of_kept, of_added))
            shown = show * self.fixed(tf.tanh(cell), *TANH_RANGE, training)
            return take(shown, _product(of_cell and _SIGMOID, _TANH)), cell

        return self.project(inputs, self.bias, grid, training), step


def _affine(x, weight, bias):
    product = tf.matmul(x, weight)
    return product if bias is None else product + bias


def _terms(first, second, of_first, of_second):
    """Returns the `Terms` of a sum; None without grids."""
    return None if of_first is None else Terms(first, second, (of_first, of_second))


def _product(of_first, of_second):
    """Returns the `Sums` of a product; None without grids."""
    return None if of_first is None else Sums.of_product(of_first, of_second)
