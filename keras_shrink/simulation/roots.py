"""Roots and quotients of the runtimes in TensorFlow operations, on integers carried in float64."""

import tensorflow as tf

from keras_shrink.simulation.arithmetic import floor_log2, high_mul, shift_left, shift_right


def unit_rows(x):
    """Returns rows divided by the root of the sum of their squares, in steps of 1/128.

    Args:
        x: Integers less their zero point as float64, rows along the last axis.
    """
    factor, shift = _inverse_root(tf.reduce_sum(tf.square(x), -1, keepdims=True))
    shift = shift + 7.0
    moved = x * tf.pow(tf.constant(2.0, tf.float64), tf.maximum(shift, 0.0))
    return shift_right(high_mul(moved, factor), tf.maximum(-shift, 0.0))


def _inverse_root(value):
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
