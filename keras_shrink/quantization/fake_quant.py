"""Fake quantization of weights: float values on an integer grid, gradients straight through."""

import keras
import tensorflow as tf


@tf.custom_gradient
def _round_to_grid(weight, scale):
    """Rounds to multiples of `scale`; the gradient passes through as if nothing had happened."""
    return tf.round(weight / scale) * scale, lambda upstream: (upstream, None)


class WeightRounding(keras.layers.Layer):
    """A weight transform to the numbers that a file can hold; what all of them have in common."""

    def build(self, input_shape):
        """There is nothing to create."""
        self.built = True


@keras.saving.register_keras_serializable("keras_shrink")
class SymmetricWeights(WeightRounding):
    """Weight transform onto a symmetric integer grid: `scale * round(w / scale)`.

    `scale = max|w| / (2**(num_bits - 1) - 1)` over `reduce_axes`, so the largest weight of each
    channel lies on the end of the grid and nothing is clipped. The gradient is the identity
    (straight-through estimator).

    Args:
        reduce_axes: Axes over which a scale is shared; the remaining ones are the channels. None for
            one scale for the whole weight.
        num_bits: Width of the integers, 2 to 8. Defaults to 8.

    Reference:
        Jacob et al., 2018, arXiv:1712.05877; Krishnamoorthi, 2018, arXiv:1806.08342.
    """

    def __init__(self, reduce_axes, *, num_bits=8, **kwargs):
        super().__init__(**kwargs)
        if not 2 <= num_bits <= 8:
            raise ValueError(f"num_bits must be from 2 to 8. Received: num_bits={num_bits}.")
        self.reduce_axes = None if reduce_axes is None else tuple(int(axis) for axis in reduce_axes)
        self.num_bits = num_bits

    @property
    def tflite_dtype(self):
        """What `tflite_export.convert` makes of a model with this layer."""
        return "int8" if self.num_bits == 8 else "int8x4"

    def scale(self, weight):
        """Returns the float32 scales of `weight`, with the reduced axes kept as 1."""
        largest = tf.reduce_max(tf.abs(tf.cast(weight, tf.float32)), axis=self.reduce_axes, keepdims=True)
        # A channel of zeros gets a harmless scale instead of a division by zero.
        # Multiplied, not divided: TensorFlow makes products of divisions by constants in some graphs, and a
        # scale that is not the same everywhere rounds a weight in the middle between two steps both ways.
        return tf.maximum(largest, 1e-20) * (1.0 / (2 ** (self.num_bits - 1) - 1))

    def call(self, weight, training=None):
        """Returns `weight` rounded to its grid; same shape and dtype."""
        scale = tf.stop_gradient(self.scale(weight))
        if training:
            return tf.cast(_round_to_grid(tf.cast(weight, tf.float32), scale), weight.dtype)
        if self.reduce_axes is None:
            # The converter gives constants a scale per channel; this operator states the one scale.
            end = tf.reshape(scale, []) * float(2 ** (self.num_bits - 1) - 1)
            wide = tf.cast(weight, tf.float32)
            rounded = tf.quantization.fake_quant_with_min_max_vars(
                wide, -end, end, num_bits=self.num_bits, narrow_range=True
            )
            return tf.cast(rounded, weight.dtype)
        # Without the custom gradient the converter sees plain arithmetic and folds it to a constant.
        return tf.cast(tf.round(tf.cast(weight, tf.float32) / scale) * scale, weight.dtype)

    def get_config(self):
        """Axes and width."""
        axes = None if self.reduce_axes is None else list(self.reduce_axes)
        return {**super().get_config(), "reduce_axes": axes, "num_bits": self.num_bits}
