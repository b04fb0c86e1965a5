"""Pooling over windows."""

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.arithmetic import saturate, wide
from keras_shrink.simulation.kernel import emitted, simulates
from keras_shrink.simulation.kernels.linear import pads_of
from tflite_export.c.requant import output_range
from tflite_export.c.window import slide
from tflite_export.fixed_point import LIMITS


@simulates("MAX_POOL_2D")
def max_pool_2d(node):
    """The largest integer under the window."""
    images, window, finish = _parts(node)
    least = LIMITS[node.input(0).dtype][0]

    def run(operands):
        values = tf.cast(images(operands), tf.float32)
        values = tf.pad(values, [(0, 0), *pads_of(window), (0, 0)], constant_values=float(least))
        return finish(wide(tf.nn.max_pool2d(values, window.filter, window.stride, "VALID")))

    return run


@simulates("AVERAGE_POOL_2D")
def average_pool_2d(node):
    """The mean of what lies under the window, padding not counted, halves away from zero."""
    images, window, finish = _parts(node)
    pads = pads_of(window)
    area = window.filter[0] * window.filter[1]
    covered = [_covered(window, axis) for axis in (0, 1)]
    count = (covered[0][:, None] * covered[1]).astype(np.float64)[..., None]

    def run(operands):
        values = tf.pad(wide(images(operands)), [(0, 0), *pads, (0, 0)])
        if (window.filter, window.output[:2]) == (values.shape[1:3], (1, 1)):
            sums = tf.reduce_sum(values, (1, 2), keepdims=True)
        else:
            sums = tf.round(tf.nn.avg_pool2d(values, window.filter, window.stride, "VALID") * area)
        return finish(tf.sign(sums) * tf.floor((tf.abs(sums) + np.floor(count / 2)) / count))

    return run


def _covered(window, axis):
    """How many rows or columns of the image lie under the window at each place."""
    start = np.arange(window.output[axis]) * window.stride[axis] - window.pad[axis]
    return np.minimum(start + window.filter[axis], window.input[axis]) - np.maximum(start, 0)


def _parts(node):
    """What brings the input to images, the window, and what makes the output of float64 values."""
    emitted(node)
    dtype, shape = node.input(0).dtype, node.output().shape
    window = slide(node, (node.options.filter_height, node.options.filter_width))
    p = output_range(node, dtype)

    def finish(values):
        return tf.reshape(saturate(values, dtype, p["output_min"], p["output_max"]), (-1, *shape))

    return lambda operands: tf.reshape(operands(0), (-1, *window.input)), window, finish
