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
from keras_shrink.simulation.kernel import emitted, simulates
from tflite_export.fixed_point import LIMITS

_BITS = {"int8": 8, "uint8": 8, "int16": 16}


@simulates("SOFTMAX")
def softmax(node):
    """Exponentials of the distances from the maximum, from a table, over their sum."""
    call, target = emitted(node), node.output().dtype
    if call.kernel == "softmax_int16":
        return _softmax_int16(call.params)
    exps = _exps(call.params)

    def run(operands):
        values, distance = _distances(operands(0), exps)
        sums = tf.reduce_sum(shift_right(values, 12), -1, keepdims=True)
        scale, exponent = _reciprocal(sums, 12)
        shares = shift_right(high_mul(values, scale), exponent + (31 - _BITS[target]))
        shares = tf.where(distance < len(exps) - 1, shares, tf.zeros_like(shares))
        return saturate(shares + LIMITS[target][0], target)

    return run


def _exps(params):
    """The table with a zero for everything farther away."""
    return np.append(params["exps"].values, 0).astype(np.float64)


def _distances(x, exps):
    """Exponentials of the distances from the largest value, and the distances, at most the table's end."""
    x = tf.cast(x, tf.int32)
    distance = tf.minimum(tf.reduce_max(x, -1, keepdims=True) - x, len(exps) - 1)
    return tf.gather(exps, distance), distance


def _reciprocal(value, integer_bits):
    """The mantissa in Q0.31 of 1 / value, and the power of two above `integer_bits`."""
    top = floor_log2(value)
    mantissa = value * tf.pow(tf.constant(2.0, tf.float64), 31.0 - top) - 2.0**31
    return _one_over_one_plus(mantissa), integer_bits - (31.0 - top)


def _one_over_one_plus(x):
    """1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31: three Newton steps."""
    half = tf.floor((x + 2.0**31) / 2)
    result = 1515870810.0 + high_mul(half, -1010580540.0)
    for _ in range(3):
        error = 2.0**29 - high_mul(half, result)
        result = result + shift_left(high_mul(result, error), 2)
    return shift_left(result, 1)


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
        sums = tf.reduce_sum(shift_right(_distances(operands(0), exps)[0], 12), -1, keepdims=True)
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
    quotient = high_mul(shift_right(numerator, 6), _one_over_one_plus(denominator))
    return shift_left(high_mul(power, 1488522236.0) + quotient, 1)


@simulates("L2_NORMALIZATION")
def l2_normalization(node):
    """Values over the root of the sum of their squares."""
    p = emitted(node).params

    def run(operands):
        x = wide(operands(0)) - p["input_zero_point"]
        factor, shift = _inverse_sqrt(tf.reduce_sum(tf.square(x), -1, keepdims=True))
        shift = shift + 7.0
        moved = x * tf.pow(tf.constant(2.0, tf.float64), tf.maximum(shift, 0.0))
        return saturate(shift_right(high_mul(moved, factor), tf.maximum(-shift, 0.0)), "int8")

    return run


def _inverse_sqrt(value):
    """1 / sqrt(value) of integers from 0 to 2**31 as a factor in Q0.31 and a shift; 0 counts as 1."""
    two = tf.constant(2.0, tf.float64)
    fours = tf.maximum(tf.floor((floor_log2(tf.maximum(value, 1.0)) - 29.0) / 2) + 1, 0.0)
    reduced = tf.maximum(tf.floor(value * tf.pow(two, -2 * fours)), 1.0)
    pairs = tf.floor((30.0 - floor_log2(reduced)) / 2) - 1
    right = 11.0 + fours - pairs
    half = shift_right(tf.floor(reduced * tf.pow(two, 2 * pairs) / 2), 1)
    x = tf.fill(tf.shape(value), tf.constant(2.0**28, tf.float64))
    for _ in range(5):
        cubed = shift_left(high_mul(high_mul(x, x), x), 6)
        x = shift_left(high_mul(x, 2.0**28 + 2.0**27) - high_mul(half, cubed), 3)
    x = high_mul(x, 1518500250.0) * tf.pow(two, tf.maximum(-right, 0.0))
    one = value <= 1
    return tf.where(one, tf.fill(tf.shape(x), two**31 - 1), x), tf.where(
        one, tf.zeros_like(right), -tf.maximum(right, 0.0)
    )
