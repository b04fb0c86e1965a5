"""Scaling and shifting per channel as a depthwise 1x1 convolution, which TFLite computes exactly.

A weight that is alone in its channel lies on the end of its grid, so nothing is lost by rounding it;
multiplying and adding as two operators would round in between.
"""

import keras
import tensorflow as tf

from keras_shrink.weights import Transformed


def depthwise(inputs, scale, shift):
    """Returns `inputs * scale + shift` over the last axis, computed by a depthwise convolution.

    Args:
        inputs: Tensor of rank 2 to 4, the channels last.
        scale: Scalar or shape `(channels,)`.
        shift: Scalar or shape `(channels,)`.
    """
    x = tf.cast(inputs, tf.float32)
    channels = x.shape[-1]
    flat = [-1, 1, 1, channels] if x.shape.rank == 2 else [-1, x.shape[1], 1, channels]
    image = x if x.shape.rank == 4 else tf.reshape(x, flat)
    kernel = tf.reshape(tf.broadcast_to(scale, [channels]), [1, 1, channels, 1])
    image = tf.nn.depthwise_conv2d(image, kernel, [1, 1, 1, 1], "VALID") + tf.broadcast_to(shift, [channels])
    result = image if x.shape.rank == 4 else tf.reshape(image, [-1, *x.shape[1:]])
    return tf.cast(result, inputs.dtype)


@keras.saving.register_keras_serializable("keras_shrink")
class AffineAsDepthwise(Transformed):
    """A BatchNormalization, Rescaling or Normalization layer that stands alone.

    Training computes the layer itself; inference, and so the export, the equal convolution.
    """

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        if training and isinstance(self.layer, keras.layers.BatchNormalization):
            return super().run_layer(inputs, training, **kwargs)
        scale, shift = scale_and_shift(self.layer)
        return depthwise(inputs, scale, shift)


@keras.saving.register_keras_serializable("keras_shrink")
class ReLU6AsDepthwise(Transformed):
    """A ReLU6 that no operator before it can take in: as the activation of a convolution by 1.

    TFLM's operator of its own is wrong where the scales of input and output differ.
    """

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        if not training:
            inputs = depthwise(inputs, 1.0, 0.0)
        return super().run_layer(inputs, training, **kwargs)


def scale_and_shift(layer):
    """Returns float32 `(scale, shift)` with which a layer does `x * scale + shift` in inference."""
    if isinstance(layer, keras.layers.BatchNormalization):
        mean, variance = (tf.convert_to_tensor(v) for v in (layer.moving_mean, layer.moving_variance))
        scale = tf.math.rsqrt(variance + layer.epsilon)
        if layer.scale:
            scale = scale * tf.convert_to_tensor(layer.gamma)
        shift = -mean * scale
        return scale, shift + tf.convert_to_tensor(layer.beta) if layer.center else shift
    if isinstance(layer, keras.layers.Rescaling):
        return tf.constant(layer.scale, tf.float32), tf.constant(layer.offset, tf.float32)
    spread = tf.maximum(
        tf.sqrt(tf.reshape(tf.cast(layer.variance, tf.float32), [-1])), keras.config.epsilon()
    )
    mean = tf.reshape(tf.cast(layer.mean, tf.float32), [-1])
    return 1.0 / spread, -mean / spread
