"""Fake quantization of weights with few bits: steps that clip, and that the optimizer trains."""

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.quantization.fake_quant import SymmetricWeights


@keras.saving.register_keras_serializable("keras_shrink")
class LearnedSteps(SymmetricWeights):
    """Weight transform onto a symmetric grid whose step is trained: `s * clip(round(w / s), -7, 7)`.

    With 15 levels the largest weight is a bad measure of the step: clipping a few weights makes room for
    the others. The step is `start * exp(growth)` and `growth` is trained, so that a step of the optimizer
    changes it by a share of itself. Gradients are those of learned step sizes: a weight inside the grid
    pulls by `round(w / s) - w / s`, one outside by the end that clips it, scaled by `1 / sqrt(weights * 7)`.

    Args:
        reduce_axes: Axes over which a step is shared; None for one step for the whole weight.
        num_bits: Width of the integers, 2 to 8. Defaults to 4.
        start: Array of the steps to start from, the reduced axes kept as 1; None only when a saved model is
            loaded, which brings its own.
        shape: Shape of the steps; needed only where `start` is None.

    Reference:
        Esser et al., 2020, arXiv:1902.08153.
    """

    def __init__(self, reduce_axes, *, num_bits=4, start=None, shape=None, **kwargs):
        super().__init__(reduce_axes, num_bits=num_bits, **kwargs)
        shape = tuple(shape) if start is None else np.shape(start)
        first = np.ones(shape) if start is None else np.asarray(start)
        state = {"shape": shape, "dtype": "float32", "autocast": False}
        self.start = self.add_weight(
            name="start", initializer=lambda *_, **__: first.astype("float32"), trainable=False, **state
        )
        self.growth = self.add_weight(name="growth", initializer="zeros", **state)

    def scale(self, weight):
        """Returns the float32 steps, whatever the weight is."""
        return tf.convert_to_tensor(self.start) * tf.exp(tf.convert_to_tensor(self.growth))

    def call(self, weight, training=None):
        """Returns `weight` rounded to its grid; same shape and dtype."""
        wide = tf.cast(weight, tf.float32)
        end = float(2 ** (self.num_bits - 1) - 1)
        if training:
            start, growth = (tf.convert_to_tensor(v) for v in (self.start, self.growth))
            rounded = _trained(wide, start, growth, end)
        else:
            scale = self.scale(weight)
            # Without the custom gradient the converter sees plain arithmetic and folds it to a constant.
            rounded = tf.clip_by_value(tf.round(wide / scale), -end, end) * scale
        return tf.cast(rounded, weight.dtype)

    def get_config(self):
        """The shape travels in the config, the steps with the weights."""
        return {**super().get_config(), "shape": list(self.start.shape)}


def _trained(weight, start, growth, end):
    shared = [i for i, size in enumerate(start.shape) if size == 1]
    count = np.prod(weight.shape) / np.prod(start.shape)

    @tf.custom_gradient
    def rounded(weight, growth):
        step = start * tf.exp(growth)
        levels = weight / step
        nearest = tf.clip_by_value(tf.round(levels), -end, end)

        def gradient(upstream):
            inside = tf.abs(levels) <= end
            pull = upstream * (nearest - tf.where(inside, levels, tf.zeros_like(levels)))
            by_step = tf.reduce_sum(pull, axis=shared, keepdims=True) / float(np.sqrt(count * end))
            # A step that is a share `d` larger has grown by `d`: plain descent moves it as it would the step.
            return tf.where(inside, upstream, tf.zeros_like(upstream)), by_step / step

        return nearest * step, gradient

    return rounded(weight, growth)
