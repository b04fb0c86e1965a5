"""A step of the integer LSTM as the device computes it."""

from __future__ import annotations

import functools

import tensorflow as tf

from keras_shrink.quantization.device_arithmetic import requantized, requantized_wide, within_int16
from keras_shrink.quantization.integer_grid import Grid
from keras_shrink.simulation.arithmetic import every, look_up, wide
from tflite_export.c.ops.logistic import sigmoid_table
from tflite_export.fixed_point_functions import logistic_q15, tanh_q15

_GATE_STEP = 2.0**-12


@functools.cache
def _tables():
    """Returns the logistic function and the tangent of all gates' inputs, in Q0.15."""
    table, gates = sigmoid_table(), every("int16")
    return logistic_q15(3 * gates, table).astype("float64"), tanh_q15(3 * gates, table).astype("float64")


def gate_sums(x, grid: Grid, kernel, scales, bias=None):
    """Returns what gates take in from one side, in Q3.12 and saturated, as float64.

    Args:
        x: Values on the grid, `(..., depth)`.
        grid: Their grid.
        kernel: Rounded, `(depth, units of all gates)`.
        scales: Its steps, one for each column.
        bias: float32, one for each column, or None.
    """
    sums = tf.matmul(grid.integers(x), tf.round(tf.cast(kernel / scales, tf.float64)))
    scale = grid.step * wide(scales)
    if bias is not None:
        sums += wide(tf.round(bias / tf.cast(scale, tf.float32)))
    return within_int16(requantized(sums, scale / _GATE_STEP))


def next_state(gates, cell, cell_step, hidden: Grid):
    """Returns the new hidden state on its grid and the new cell, both as float32.

    Args:
        gates: What the gates take in, in Q3.12, in Keras' order: input, forget, cell, output.
        cell: float32, multiples of its step.
        cell_step: A power of two, float64.
        hidden: Grid of the hidden state.
    """
    logistic, tanh = _tables()
    accept, forget, new, show = tf.split(within_int16(gates), 4, axis=-1)
    accept, forget, show = (look_up(logistic, gate, "int16") for gate in (accept, forget, show))
    kept = requantized_wide(forget * wide(cell) / cell_step, 2.0**-15)
    added = requantized_wide(accept * look_up(tanh, new, "int16"), 2.0**-30 / cell_step)
    cell = within_int16(within_int16(kept) + within_int16(added))
    shown = requantized_wide(_tangent(cell, cell_step) * show, 2.0**-30 / hidden.step)
    shown = tf.clip_by_value(shown, -128.0 - hidden.zero_point, 127.0 - hidden.zero_point)
    return tf.cast(shown * hidden.step, tf.float32), tf.cast(cell * cell_step, tf.float32)


def _tangent(cell, cell_step):
    """Returns the tangent of a cell's integers in Q0.15, interpolated in the logistic function's table."""
    units = tf.floor(cell * (3 * 2.0**12 * cell_step) + 0.5)
    size = tf.abs(units)
    place = tf.minimum(tf.floor(size / 256.0), 254.0)
    table = tf.constant(sigmoid_table(), tf.float64)
    low, high = (tf.gather(table, tf.cast(place + k, tf.int32)) for k in (0, 1))
    between = low * 256.0 + (size - place * 256.0) * (high - low)
    value = tf.where(size < 255 * 256.0, between, 65535.0 * 256.0) - 2.0**23
    return tf.floor(tf.where(units >= 0, value + 128.0, 127.0 - value) / 256.0)
