"""Activations as the device computes them: a table of what each of 256 integers becomes."""

import tensorflow as tf

from keras_shrink.quantization.device_arithmetic import multiplier_parts, requantized_wide, within_int16
from keras_shrink.quantization.integer_grid import Grid
from keras_shrink.simulation.arithmetic import round_away, shift_left, shift_right
from keras_shrink.simulation.exponentials import exp_on_negative, one_over_one_plus, two_over_one_plus

_ONE = 2.0**31 - 1.0


def looked_up(name, x, source: Grid, target: Grid):
    """Returns an activation of values on a grid, float32 on the grid of its results.

    Args:
        name: `"sigmoid"`, `"tanh"`, `"elu"` or `"hard_silu"`.
        x: Values on the grid.
        source: Their grid.
        target: That of the results.
    """
    lowest = -128.0 - source.zero_point
    values = TABLES[name](lowest + tf.range(256, dtype=tf.float64), source, target)
    values = tf.clip_by_value(values, -128.0 - target.zero_point, 127.0 - target.zero_point)
    places = tf.cast(tf.clip_by_value(source.integers(x) - lowest, 0.0, 255.0), tf.int32)
    return tf.cast(tf.gather(values * target.step, places), tf.float32)


def _sigmoid(whole, source, target):
    fixed, is_inside = _with_4_integer_bits(whole, source)
    positive = one_over_one_plus(exp_on_negative(-tf.abs(fixed), 4))
    value = tf.where(fixed > 0, positive, _ONE - positive)
    value = shift_right(tf.where(fixed == 0, 2.0**30 * tf.ones_like(value), value), 23.0)
    return tf.where(is_inside, value, tf.where(whole < 0, tf.zeros_like(value), 255.0 * tf.ones_like(value)))


def _tanh(whole, source, target):
    fixed, is_inside = _with_4_integer_bits(whole, source)
    magnitude = shift_left(two_over_one_plus(exp_on_negative(-tf.abs(fixed), 5)) - 2.0**29, 2.0)
    value = shift_right(tf.sign(fixed) * magnitude, 24.0)
    return tf.where(is_inside, value, 128.0 * tf.sign(whole))


def _with_4_integer_bits(whole, source):
    """Returns integers in Q4.27, zero where they do not fit, and whether they do."""
    factor = source.step * 2.0**27
    _, exponent = multiplier_parts(factor)
    is_inside = tf.abs(whole) < tf.floor(15.0 * 2.0 ** (27.0 - exponent))
    return requantized_wide(tf.where(is_inside, whole, tf.zeros_like(whole)), factor), is_inside


def _elu(whole, source, target):
    # The runtimes make this table in single precision.
    real = tf.cast(source.step, tf.float32) * tf.cast(whole, tf.float32)
    below = tf.cast(tf.exp(tf.cast(tf.minimum(real, 0.0), tf.float64)), tf.float32) - 1.0
    inverse = tf.ones([]) / tf.cast(target.step, tf.float32)
    return round_away(tf.cast(tf.where(real < 0, below, real) * inverse, tf.float64))


def _hard_silu(whole, source, target):
    fine = source.step / 128.0
    output_factor, output_exponent = _int16_parts(fine / target.step)
    unit_factor, unit_exponent = _int16_parts(fine * (32768.0 / 3.0))
    x = whole * 128.0
    raised = within_int16(x * 2.0 ** tf.maximum(unit_exponent - 1.0, 0.0))
    gate = _high_mul_int16(tf.where(unit_exponent > 0, raised, x), unit_factor)
    gate = tf.where(unit_exponent > 0, within_int16(gate * 2.0), gate)
    gate = shift_right(gate, tf.maximum(-unit_exponent, 0.0))
    gate = tf.floor((gate + 32768.0) / 2.0)
    product = gate * _high_mul_int16(x, output_factor)
    product = tf.sign(product) * tf.floor(tf.abs(product) * 2.0**-15)
    return shift_right(product, tf.maximum(-output_exponent, 0.0))


def _int16_parts(multiplier):
    """Returns a factor of 16 bits and the exponent of a multiplier."""
    significand, exponent = multiplier_parts(multiplier)
    return tf.minimum(tf.floor((significand + 2.0**15) * 2.0**-16), 32767.0), exponent


def _high_mul_int16(a, b):
    """Returns `a * b / 2**15` rounded to nearest, for 16 bits."""
    product = a * b
    half = 2.0**14 * tf.ones_like(product)
    nudged = product + tf.where(product >= 0, half, 1.0 - half)
    return within_int16(tf.sign(nudged) * tf.floor(tf.abs(nudged) * 2.0**-15))


TABLES = {"sigmoid": _sigmoid, "tanh": _tanh, "elu": _elu, "hard_silu": _hard_silu}
