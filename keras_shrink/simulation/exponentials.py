"""The softmax of the runtimes in TensorFlow operations, on integers carried in float64."""

import math

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.arithmetic import floor_log2, high_mul, shift_left, shift_right

FARTHEST = 255  # between two integers of 8 bits
_FRACTION_BITS = 26  # of the distances from the maximum, five of whose bits are whole
_LARGEST = np.float64(2**31 - 1)


def exp_table(significand, exponent):
    """Returns `exp` of minus the distances 0 to 255 in Q0.31, zero where they are too far to count.

    Args:
        significand: Of what brings a distance to Q5.26, float64.
        exponent: Its exponent, at least 0.

    Example:
    >>> import tensorflow as tf
    >>> table = exp_table(tf.constant(2.0**30, tf.float64), tf.constant(26.0, tf.float64))
    >>> round(float(table[2]) / 2**31, 4), float(table[70])
    (0.3679, 0.0)
    """
    distance = tf.range(FARTHEST + 1, dtype=tf.float64)
    step = 2.0**exponent
    farthest = tf.floor(31.0 * 2.0**_FRACTION_BITS / step)
    counts = distance <= farthest
    scaled = high_mul(-tf.where(counts, distance, tf.zeros_like(distance)) * step, significand)
    return tf.where(counts, exp_on_negative(scaled, 31 - _FRACTION_BITS), tf.zeros_like(scaled))


def exp_on_negative(value, integer_bits):
    """Returns `exp` in Q0.31 of values that are not positive: of a remainder in [-1/4, 0), times powers.

    Args:
        value: Whole numbers as float64, with `31 - integer_bits` bits of fraction.
        integer_bits: At most 5.
    """
    fraction_bits = 31 - integer_bits
    quarter = 2.0 ** (fraction_bits - 2)
    remainder = tf.math.floormod(value, quarter) - quarter
    result = _exp_near_minus_one_eighth(remainder * 2.0**integer_bits)
    whole = remainder - value
    for power in range(-2, integer_bits):
        factor = float(round(math.exp(-(2.0**power)) * 2.0**31))
        is_set = tf.math.floormod(tf.floor(whole * 2.0 ** -(fraction_bits + power)), 2.0) == 1.0
        result = tf.where(is_set, high_mul(result, factor), result)
    return tf.where(value == 0.0, _LARGEST, result)


def _exp_near_minus_one_eighth(value):
    """`exp` of Q0.31 values in [-1/4, 0): a Taylor polynomial around -1/8."""
    at_center, one_third = 1895147668.0, 715827883.0
    x = value + 2.0**28
    squared = high_mul(x, x)
    cubed = high_mul(squared, x)
    fourth_quarter = shift_right(high_mul(squared, squared), 2.0)
    tail = shift_right(high_mul(fourth_quarter + cubed, one_third) + squared, 1.0)
    return tf.minimum(at_center + high_mul(x + tail, at_center), _LARGEST)


def shares(exponentials, bits):
    """Returns each exponential over the sum of those along the last axis, in steps of `2**-bits`.

    Args:
        exponentials: Q0.31.
        bits: Of the result.
    """
    sums = tf.reduce_sum(shift_right(exponentials, 12), -1, keepdims=True)
    top = floor_log2(sums)
    mantissa = sums * tf.pow(tf.constant(2.0, tf.float64), 31.0 - top) - 2.0**31
    exponent = 12 - (31.0 - top)
    return shift_right(high_mul(exponentials, one_over_one_plus(mantissa)), exponent + (31 - bits))


def one_over_one_plus(x):
    """Returns 1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31."""
    return shift_left(two_over_one_plus(x), 1)


def two_over_one_plus(x):
    """Returns 2 / (1 + x) in Q2.29 for x in [0, 1) in Q0.31: three Newton steps."""
    half = tf.floor((x + 2.0**31) / 2)
    result = 1515870810.0 + high_mul(half, -1010580540.0)
    for _ in range(3):
        error = 2.0**29 - high_mul(half, result)
        result = result + shift_left(high_mul(result, error), 2)
    return result
