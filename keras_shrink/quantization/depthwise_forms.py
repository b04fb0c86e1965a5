"""Scaling and shifting per channel as a depthwise 1x1 convolution, which TFLite computes exactly.

A weight that is alone in its channel lies on the end of its grid, so nothing is lost by rounding it;
multiplying and adding as two operators would round in between.
"""

import keras
import tensorflow as tf

from keras_shrink.quantization.activation_in_rounding import ActivationInRounding
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
    kernel = tf.reshape(tf.broadcast_to(tf.cast(scale, x.dtype), [channels]), [1, 1, channels, 1])
    image = tf.nn.depthwise_conv2d(image, kernel, [1, 1, 1, 1], "VALID") + tf.broadcast_to(
        tf.cast(shift, x.dtype), [channels]
    )
    result = image if x.shape.rank == 4 else tf.reshape(image, [-1, *x.shape[1:]])
    return tf.cast(result, inputs.dtype)


def affine(inputs, scale, shift):
    """Returns `inputs * scale + shift`, computed by a depthwise convolution.

    Args:
        inputs: Tensor of rank 2 to 4.
        scale: Tensor that broadcasts to `inputs`; where it varies along other axes than the last, these
            are brought to the end for the time being.
        shift: Likewise.
    """
    rank = inputs.shape.rank
    factors = [tf.reshape(x, [1] * (rank - len(x.shape)) + list(x.shape)) for x in (scale, shift)]
    along = {axis for x in factors for axis, side in enumerate(x.shape) if side > 1}
    if len(along) > 1:
        whole = [tf.reshape(tf.broadcast_to(x, [1, *inputs.shape[1:]]), [-1]) for x in factors]
        flat = depthwise(tf.reshape(inputs, [-1, whole[0].shape[0]]), *whole)
        return tf.reshape(flat, [-1, *inputs.shape[1:]])
    single = [tf.reshape(x, [-1]) for x in factors]
    if along <= {rank - 1}:
        return depthwise(inputs, *single)
    (moving,) = along
    order = [*(axis for axis in range(rank) if axis != moving), moving]
    moved = depthwise(tf.transpose(inputs, order), *single)
    return tf.transpose(moved, [order.index(axis) for axis in range(rank)])


@keras.saving.register_keras_serializable("keras_shrink")
class AffineAsDepthwise(Transformed):
    """A BatchNormalization, Rescaling or Normalization layer that stands alone.

    Training computes the layer itself; inference, and so the export, the equal convolution.
    """

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        if training and isinstance(self.layer, keras.layers.BatchNormalization):
            return super().run_layer(inputs, training, **kwargs)
        return affine(inputs, *scale_and_shift(self.layer, inputs.shape.rank))


@keras.saving.register_keras_serializable("keras_shrink")
class ReLU6AsDepthwise(ActivationInRounding):
    """A ReLU6 that no operator before it can take in: as the activation of a convolution by 1.

    TFLM's operator of its own is wrong where the scales of input and output differ.
    """

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        if not training:
            inputs = depthwise(inputs, 1.0, 0.0)
        return super().run_layer(inputs, training, **kwargs)


@keras.saving.register_keras_serializable("keras_shrink")
class SaturatedReLU(Transformed):
    """A ReLU with a largest value: one that ends where the integers end."""

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        return super().run_layer(inputs, training, **kwargs) if training else tf.nn.relu(inputs)


@keras.saving.register_keras_serializable("keras_shrink")
class SaturatedReLUAsDepthwise(SaturatedReLU):
    """The same where no operator before it can take it in: as the activation of a convolution by 1."""

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        return super().run_layer(inputs if training else depthwise(inputs, 1.0, 0.0), training, **kwargs)


def scale_and_shift(layer, rank):
    """Returns float32 `(scale, shift)` with which a layer does `x * scale + shift` in inference.

    Both broadcast to the input, which has `rank` dimensions.
    """
    if isinstance(layer, keras.layers.BatchNormalization):
        mean, variance = (tf.convert_to_tensor(v) for v in (layer.moving_mean, layer.moving_variance))
        scale = tf.math.rsqrt(variance + layer.epsilon)
        if layer.scale:
            scale = scale * tf.convert_to_tensor(layer.gamma)
        shift = -mean * scale
        shift = shift + tf.convert_to_tensor(layer.beta) if layer.center else shift
        shape = [-1 if axis == layer.axis % rank else 1 for axis in range(rank)]
        return tf.reshape(scale, shape), tf.reshape(shift, shape)
    if isinstance(layer, keras.layers.Rescaling):
        return tf.constant(layer.scale, tf.float32), tf.constant(layer.offset, tf.float32)
    mean = tf.cast(layer.mean, tf.float32)
    spread = tf.maximum(tf.sqrt(tf.cast(layer.variance, tf.float32)), keras.config.epsilon())
    return (spread, mean) if layer.invert else (1.0 / spread, -mean / spread)
