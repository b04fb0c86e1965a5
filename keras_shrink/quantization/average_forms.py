"""Averages over windows."""

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.weights import Transformed


@keras.saving.register_keras_serializable("keras_shrink")
class AveragedWindows(Transformed):
    """An AveragePooling layer. The device rounds its results to the grid of its inputs."""

    def on_grid(self, result, inputs, grid):
        """Returns results as the device rounds them, halves away from zero.

        Args:
            result: What the layer computes of values on a grid.
            inputs: These values; read is their shape.
            grid: Their `Grid`.
        """
        step, zero_point = grid.step, grid.zero_point
        counts = self._counts(inputs.shape[1:-1], result.shape[1:-1])
        sums = tf.round(tf.cast(result, tf.float64) * counts / step) + zero_point * counts
        rounded = tf.sign(sums) * tf.floor((tf.abs(sums) + np.floor(counts / 2)) / counts)
        return (rounded - zero_point) * step

    def _counts(self, sides, places):
        """How many values each window holds, none of them beyond the border; the channels' dimension is 1."""
        layer = self.layer
        counts = np.ones([1] * (len(places) + 1))
        along = zip(layer.pool_size, layer.strides, sides, places, strict=True)
        for axis, (size, stride, extent, many) in enumerate(along):
            before = max((many - 1) * stride + size - extent, 0) // 2 if layer.padding == "same" else 0
            start = np.arange(many) * stride - before
            held = np.minimum(start + size, extent) - np.maximum(start, 0)
            shape = [1] * (len(places) + 1)
            shape[axis] = many
            counts = counts * held.reshape(shape)
        return counts
