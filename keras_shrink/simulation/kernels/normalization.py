"""Operators over the last dimension whose divisor depends on data."""

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.arithmetic import (
    floor_log2,
    requantize,
    saturate,
    wide,
)
from keras_shrink.simulation.exponentials import shares
from keras_shrink.simulation.kernel import emitted, simulates
from keras_shrink.simulation.logarithms import log_shares
from keras_shrink.simulation.roots import unit_rows
from tflite_export.c.ops.softmax import exp_table
from tflite_export.fixed_point import LIMITS, Multiplier

_BITS = {"int8": 8, "uint8": 8, "int16": 16}


@simulates("SOFTMAX")
def softmax(node):
    """Exponentials of the distances from the maximum, from a table, over their sum."""
    call, target = emitted(node), node.output().dtype
    if call.kernel == "softmax_int16":
        return _softmax_int16(call.params)
    exps = _exps(call.params)

    def run(operands):
        return saturate(shares(_exponentials(operands(0), exps), _BITS[target]) + LIMITS[target][0], target)

    return run


def _exps(params):
    """The table, which the kernel may do without, with a zero for everything farther away."""
    if "exps" in params:
        table = params["exps"].values
    else:
        table = exp_table(Multiplier(params["multiplier"], params["shift"]))
    return np.append(table, 0).astype(np.float64)


def _exponentials(x, exps):
    """Exponentials of the distances from the largest value; beyond the table's end they are zero."""
    x = tf.cast(x, tf.int32)
    return tf.gather(exps, tf.minimum(tf.reduce_max(x, -1, keepdims=True) - x, len(exps) - 1))


def _softmax_int16(p):
    """Exponentials and the reciprocal of their sum, each interpolated in a table of 513 values."""
    exps, reciprocals = p["exps"].values, p["reciprocals"].values

    def run(operands):
        x = wide(operands(0))
        below = x - tf.reduce_max(x, -1, keepdims=True)
        distance = requantize(below, p["multiplier"], p["shift"], 1 << 16)
        values = _interpolated(distance + 32767.0, exps)
        sums = tf.reduce_sum(values, -1, keepdims=True)
        top = floor_log2(sums)
        shifted = tf.floor((sums * tf.pow(tf.constant(2.0, tf.float64), 30.0 - top) + 2.0**13) * 2.0**-14)
        scale = _interpolated(shifted - 98304.0, reciprocals)
        share = values * scale * tf.pow(tf.constant(2.0, tf.float64), -top)
        return saturate(tf.floor(share + 0.5), "int16", 0)

    return run


def _interpolated(value, table):
    value = tf.clip_by_value(value, -32768.0, 32767.0)
    place = tf.floor(value * 2.0**-7)
    at = tf.cast(place, tf.int32) + 256
    table = np.asarray(table, np.float64)
    low = tf.gather(table, at)
    return low + tf.floor(((tf.gather(table, at + 1) - low) * (value - place * 128) + 64.0) * 2.0**-7)


@simulates("LOG_SOFTMAX")
def log_softmax(node):
    """Distances from the maximum less the logarithm of the sum of their exponentials."""
    p = emitted(node).params
    exps = _exps(p)

    def to_fine(value):
        return requantize(value, p["multiplier"], p["shift"], 1 << 31)

    def to_steps(value):
        return requantize(value, p["inverse_multiplier"], p["inverse_shift"], 1 << 31)

    def run(operands):
        x = wide(operands(0))
        below = x - tf.reduce_max(x, -1, keepdims=True)
        exponentials = _exponentials(operands(0), exps)
        value = log_shares(below, exponentials, to_fine, to_steps, float(p["farthest"]))
        return saturate(value + 127.0, "int8")

    return run


@simulates("L2_NORMALIZATION")
def l2_normalization(node):
    """Values over the root of the sum of their squares."""
    p = emitted(node).params
    return lambda operands: saturate(unit_rows(wide(operands(0)) - p["input_zero_point"]), "int8")
