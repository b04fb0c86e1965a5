"""Operators over the last dimension whose divisor depends on data."""

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.arithmetic import (
    floor_log2,
    high_mul,
    requantize,
    saturate,
    shift_left,
    shift_right,
    wide,
)
from keras_shrink.simulation.exponentials import one_over_one_plus, shares
from keras_shrink.simulation.kernel import emitted, simulates
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

    def run(operands):
        x = wide(operands(0))
        below = x - tf.reduce_max(x, -1, keepdims=True)
        sums = tf.reduce_sum(shift_right(_exponentials(operands(0), exps), 12), -1, keepdims=True)
        logarithm = _log_q12(sums)
        least = requantize(logarithm - 2.0**31, p["inverse_multiplier"], p["inverse_shift"], 1 << 31)
        least = tf.maximum(least, -p["farthest"] - 1.0)
        scaled = requantize(tf.maximum(below, -p["farthest"] - 0.0), p["multiplier"], p["shift"], 1 << 31)
        value = shift_right(scaled - logarithm, 22) + 127.0
        return saturate(tf.where(below > least, value, -128.0 * tf.ones_like(value)), "int8")

    return run


def _log_q12(value):
    """The natural logarithm in Q5.26 of numbers of at least 1 in Q12.19."""
    zeros = 31.0 - floor_log2(value)
    root_half, center = 1518500250.0, 1805811301.0
    first = shift_left(high_mul(shift_left(value, zeros - 1), root_half), 1)
    first_power = (12 - zeros) * 2.0**25 + 2.0**23
    room = 30.0 - floor_log2(high_mul(value, root_half))
    second = shift_left(value, room)
    second_power = (12 - room) * 2.0**25 - 2.0**23
    mantissa, power = tf.minimum(first, second), tf.maximum(first_power, second_power)
    mean = tf.floor((mantissa + center + 1) / 2)
    q = 2 * (mantissa - center)
    squared = high_mul(q, q)
    numerator = high_mul(q, mantissa) + high_mul(high_mul(q, squared), 117049297.0)
    inner = 1057819769.0 + q + high_mul(squared, 127690142.0)
    denominator = high_mul(mean, inner) + high_mul(q, 638450708.0)
    quotient = high_mul(shift_right(numerator, 6), one_over_one_plus(denominator))
    return shift_left(high_mul(power, 1488522236.0) + quotient, 1)


@simulates("L2_NORMALIZATION")
def l2_normalization(node):
    """Values over the root of the sum of their squares."""
    p = emitted(node).params
    return lambda operands: saturate(unit_rows(wide(operands(0)) - p["input_zero_point"]), "int8")
