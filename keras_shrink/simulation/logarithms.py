"""The logarithm of the softmax of the runtimes in TensorFlow operations, on integers carried in float64."""

import tensorflow as tf

from keras_shrink.simulation.arithmetic import floor_log2, high_mul, shift_left, shift_right
from keras_shrink.simulation.exponentials import one_over_one_plus


def log_shares(below, exponentials, to_fine, to_steps, farthest):
    """Returns the logarithm of each exponential over the sum of those along the last axis, in steps of 1/16.

    Args:
        below: Distances from the largest value, not positive, in steps of the values' own scale.
        exponentials: Of these, Q0.31.
        to_fine: A function that brings distances to Q5.26.
        to_steps: One that brings them back.
        farthest: The largest distance that fits.
    """
    logarithm = _log_q12(tf.reduce_sum(shift_right(exponentials, 12), -1, keepdims=True))
    least = tf.maximum(to_steps(logarithm - 2.0**31), -farthest - 1.0)
    value = shift_right(to_fine(tf.maximum(below, -farthest)) - logarithm, 22)
    return tf.where(below > least, value, -255.0 * tf.ones_like(value))


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
