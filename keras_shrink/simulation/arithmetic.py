"""`tflite_export.fixed_point` in TensorFlow operations, on integers carried in float64.

Every integer below 2**53 is a float64, and sums, products and floors of such numbers are exact as long as
they stay below. These operations run several times faster than those on 64-bit integers. What depends on a
single 8-bit or 16-bit value is a table made with `fixed_point` itself.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tflite_export.c.tensor_types import UnsupportedError
from tflite_export.fixed_point import LIMITS

_EXACT = 1 << 53
_NARROW = 1 << 21  # below this a product with 31 bits, and one half more, stay exact


def wide(value):
    """Returns integers of any type as float64."""
    return tf.cast(value, tf.float64)


def high_mul(a, b, bound=1 << 31):
    """Returns `floor(a * b / 2**31 + 1/2)`.

    Args:
        a: Integers as float64, at most `bound` in magnitude.
        b: int32 values as float64.
        bound: At most 2**31. A small one saves half of the work.
    """
    if bound <= _NARROW:
        return tf.floor(a * (b * 2.0**-31) + 0.5)
    # The product does not fit in 53 bits: take the low 12 bits of `a` by themselves.
    upper = tf.floor(a * 2.0**-12)
    lower = a - upper * 2.0**12
    carried = tf.floor((lower * b + 2.0**30) * 2.0**-12)
    return tf.floor((upper * b + carried) * 2.0**-19)


def shift_right(value, exponent):
    """Returns `value / 2**exponent` rounded to nearest, halves away from zero.

    Args:
        value: int32 values as float64.
        exponent: Not negative; a number, or an array or tensor of float64.
    """
    return round_away(value * tf.pow(tf.constant(2.0, tf.float64), -wide(exponent)))


def round_away(value):
    """Returns float64 values rounded to whole numbers, halves away from zero."""
    return tf.sign(value) * tf.floor(tf.abs(value) + 0.5)


def shift_left(value, exponent):
    """Returns `value * 2**exponent`, saturated to int32."""
    low, high = LIMITS["int32"]
    shifted = value * tf.pow(tf.constant(2.0, tf.float64), wide(exponent))
    return tf.clip_by_value(shifted, float(low), float(high))


def requantize(value, significand, shift, bound):
    """Returns `value` times a multiplier, rounded twice as the runtimes do.

    Args:
        value: Integers as float64.
        significand: Of the multiplier; one, or one for each channel.
        shift: Of the multiplier, likewise.
        bound: What `value` cannot exceed in magnitude.
    """
    shift = np.asarray(shift, np.int64)
    left = np.maximum(shift, 0)
    factor = np.asarray(significand, np.float64)
    if left.any():
        value = value * 2.0**left
    bound = min(int(bound) << int(left.max()), 1 << 31)
    return shift_right(high_mul(value, factor, bound), np.maximum(-shift, 0))


def requantize_64(value, significand, shift, bound):
    """Returns `value` times a multiplier of 15 bits, rounded once: what the runtimes do beyond 32 bits.

    Args:
        value: Integers as float64.
        significand: Of the multiplier; one, or one for each channel.
        shift: Of the multiplier, likewise.
        bound: What `value` cannot exceed in magnitude.
    """
    significand = np.asarray(significand, np.int64)
    reduced = np.where(significand < 0x7FFF0000, (significand + (1 << 15)) >> 16, 0x7FFF)
    if int(bound) * 0x8000 >= _EXACT // 2:
        raise UnsupportedError(f"sums of up to {bound}, whose products leave 53 bits")
    right = 15 - np.asarray(shift, np.int64)
    return tf.floor(value * (reduced * 2.0**-right) + 0.5)


def saturate(value, dtype, low=None, high=None):
    """Returns float64 values limited to `low` and `high`, else to the range of the type, in that type."""
    least, most = LIMITS[dtype]
    low, high = least if low is None else low, most if high is None else high
    return tf.cast(tf.clip_by_value(value, float(low), float(high)), dtype)


def floor_log2(value):
    """Returns the exponent of the highest bit of positive integers, all as float64."""
    bits = tf.bitcast(value, tf.int64)
    return wide(tf.bitwise.right_shift(bits, tf.constant(52, tf.int64))) - 1023.0


def look_up(table, value, dtype):
    """Returns `table[value - lowest]`, where `lowest` is the least value of the integer type."""
    return tf.gather(table, tf.cast(value, tf.int32) - LIMITS[dtype][0])


def every(dtype):
    """Returns all values of an 8-bit or 16-bit integer type, in order, as int64."""
    low, high = LIMITS[dtype]
    return np.arange(low, high + 1, dtype=np.int64)


def reach(dtype, zero_point):
    """Returns the largest magnitude of a value of an integer type less a zero point."""
    low, high = LIMITS[dtype]
    return max(abs(low - zero_point), abs(high - zero_point))
