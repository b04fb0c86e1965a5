"""Sums, means and extremes over dimensions."""

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.arithmetic import reach, requantize, saturate, wide
from keras_shrink.simulation.kernel import emitted, simulates


@simulates("MEAN", "SUM")
def sum_(node):
    """The sum, brought to the output's scale; a mean has the count in its multiplier."""
    dtype, p = node.input(0).dtype, emitted(node).params
    count = node.input(0).size // node.output().size
    bound = count * reach(dtype, p["zero_points"] // count)

    def run(operands):
        sums = tf.reduce_sum(tf.cast(operands(0), tf.int32), _axes(node))
        value = requantize(wide(sums) - p["zero_points"], p["multiplier"], p["shift"], bound)
        return _shaped(node, saturate(value + p["output_zero_point"], dtype))

    return run


@simulates("REDUCE_MAX", "REDUCE_MIN")
def reduce_max(node):
    """The largest or the smallest value."""
    emitted(node)
    fold = tf.reduce_max if node.op.code == "REDUCE_MAX" else tf.reduce_min
    return lambda operands: _shaped(node, fold(operands(0), _axes(node)))


@simulates("ARG_MAX", "ARG_MIN")
def arg_max(node):
    """The position of the first of the largest or the smallest values."""
    emitted(node)
    find = tf.argmax if node.op.code == "ARG_MAX" else tf.argmin
    return lambda operands: _shaped(node, find(operands(0), _axes(node)[0], tf.int32))


def _axes(node):
    """The dimensions that vanish, the samples' own counted."""
    rank = len(node.input(0).shape)
    return sorted({int(axis) % rank + 1 for axis in np.reshape(node.required(1, "axes"), -1)})


def _shaped(node, value):
    return tf.reshape(value, (-1, *node.output().shape))
