"""BatchNormalization whose training step is the fused operator of TensorFlow."""

import keras
import tensorflow as tf

# Smaller ones are not taken by the operator on every device.
_SMALLEST_EPSILON = 1.001e-5


@keras.saving.register_keras_serializable("keras_shrink")
class QuickNormalization(keras.layers.BatchNormalization):
    """The same layer computed by one operator forward and one back, where Keras composes it of a dozen.

    On a CPU this saves more time than simulating integers takes. It is for pictures, channels last;
    everything else computes as Keras does it: other shapes, masks, synchronized statistics, inference.
    """

    def call(self, inputs, training=None, mask=None):
        """Returns the normalized inputs, and moves the statistics in training."""
        if training and self.trainable and mask is None and is_fused(self, inputs):
            return normalize(self, inputs)
        return super().call(inputs, training=training, mask=mask)


def quick(layer):
    """Returns the class of the layer's copy in a model that trains: `QuickNormalization` or its own."""
    return QuickNormalization if type(layer) is keras.layers.BatchNormalization else type(layer)


def is_fused(layer, x):
    """Whether the operator computes what a BatchNormalization layer does with `x` in training."""
    plain = not (layer.synchronized or getattr(layer, "renorm", False)) and x.dtype != tf.float64
    return plain and len(x.shape) == 4 and layer.axis in (-1, 3) and layer.epsilon >= _SMALLEST_EPSILON


def normalize(layer, x, frozen=None):
    """Returns `x` normalized by the statistics of the batch, towards which those of `layer` move.

    Args:
        layer: A BatchNormalization layer for which `is_fused`.
        x: The batch.
        frozen: A boolean tensor that, where true, normalizes by the statistics of `layer` and leaves
            them. Defaults to never.
    """
    wide = tf.cast(x, tf.float32)
    moving = _single(layer.moving_mean), _single(layer.moving_variance)
    ones = tf.ones_like(moving[0])
    scale = _single(layer.gamma) if layer.scale else ones
    offset = _single(layer.beta) if layer.center else tf.zeros_like(ones)

    def by_batch():
        result, mean, variance = _fused(wide, scale, offset, layer.epsilon, (), is_training=True)
        # The operator returns the unbiased variance; Keras keeps that of the batch.
        count = tf.cast(tf.size(wide), tf.float32) / wide.shape[-1]
        return result, mean, variance * ((count - 1.0) / count)

    def by_moving():
        return _fused(wide, scale, offset, layer.epsilon, moving, is_training=False)[0], *moving

    result, *seen = by_batch() if frozen is None else tf.cond(frozen, by_moving, by_batch)
    # Assigned in either case: an assignment inside a branch is refused by distribution strategies.
    for variable, old, new in zip((layer.moving_mean, layer.moving_variance), moving, seen, strict=True):
        followed = old * layer.momentum + new * (1.0 - layer.momentum)
        variable.assign(followed if frozen is None else tf.where(frozen, old, followed))
    return tf.cast(result, layer.compute_dtype)


def _single(variable):
    return tf.cast(tf.convert_to_tensor(variable), tf.float32)


def _fused(x, scale, offset, epsilon, statistics, is_training):
    mean, variance = statistics or (tf.zeros([0]), tf.zeros([0]))
    return tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=scale,
        offset=offset,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        is_training=is_training,
    )[:3]
