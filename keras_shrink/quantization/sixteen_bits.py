"""Activations of 16 bits: symmetric ranges, and which layers TFLite Micro computes with them."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from keras_shrink.quantization.operation_forms import Elementwise
from keras_shrink.quantization.operations import layer_for
from keras_shrink.quantization.ranges import ActivationQuantizer, FixedRange
from keras_shrink.quantization.rules.roles import FIXED_RANGES, Role
from keras_shrink.quantization.time_axis import FoldTime, UnfoldTime

# -32768 to 32767 steps with zero in the middle.
_MORE_BELOW = 32768 / 32767
_LAYERS = (
    layers.Activation,
    layers.Add,
    layers.Average,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.BatchNormalization,
    layers.Concatenate,
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Dense,
    Elementwise,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    layers.Flatten,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.Normalization,
    layers.Permute,
    layers.ReLU,
    layers.Rescaling,
    layers.Reshape,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
    layers.Softmax,
    layers.Subtract,
    layers.UpSampling1D,
    layers.UpSampling2D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    FoldTime,
    UnfoldTime,
)
_ACTIVATIONS = ("linear", "relu", "relu6", "softmax", "sigmoid", "tanh")


@keras.saving.register_keras_serializable("keras_shrink")
class SymmetricActivations(ActivationQuantizer):
    """Observes the largest absolute value of an activation and rounds to 16 bits around zero.

    Args:
        **kwargs: As `ActivationQuantizer`.
    """

    tflite_dtype = "int16x8"
    starts_at_zero = False  # behind a ReLU too: the grid is symmetric

    def __init__(self, *, num_bits=16, **kwargs):
        super().__init__(num_bits=num_bits, **kwargs)

    def train_range(self):
        """Refuses: with 16 bits there is no balance of clipping and rounding to be found."""
        raise ValueError(
            f"Ranges of 16 bits are not trained. Received: layer {self.name!r}. 65,536 levels hold the whole "
            "range; leave learn_ranges out."
        )

    def set_range(self, low, high):
        """Sets the range that holds both ends, as if it had been observed on many batches."""
        end = max(-low, high)
        super().set_range(-end * _MORE_BELOW, end)

    def _batch_range(self, x):
        end = tf.maximum(tf.reduce_max(tf.abs(tf.cast(x, tf.float32))), 1e-5)
        return -end * _MORE_BELOW, end


def observed_range(config, name, *, activation="linear"):
    """Returns the layer that observes a range and rounds to it, for the width that a config asks for.

    Example:
    >>> from keras_shrink.quantization.config import Int16x8
    >>> type(observed_range(Int16x8(), "range")).__name__
    'SymmetricActivations'
    """
    if config.activation_bits == 16:
        return SymmetricActivations(momentum=config.momentum, activation=activation, name=name)
    return ActivationQuantizer(momentum=config.momentum, activation=activation, name=name)


def fixed_range(config, activation, name="fixed_range"):
    """Returns the layer that rounds to the range that TFLite prescribes for an activation's output.

    Example:
    >>> from keras_shrink.quantization.config import Int16x8
    >>> fixed_range(Int16x8(), "softmax").range()
    (-1.0, 0.999969482421875)
    """
    if config.activation_bits == 16:
        return FixedRange(-1.0, 32767 / 32768, num_bits=16, name=name)
    return FixedRange(*FIXED_RANGES[activation], name=name)


def without_16_bits(layer, known: Role) -> str:
    """Returns why a layer cannot be computed with 16-bit activations, `""` if it can.

    Example:
    >>> without_16_bits(layers.LeakyReLU(), Role(activation="leaky_relu"))
    'no form of LeakyReLU with activations of 16 bits is known'
    """
    kind = type(layer).__name__
    stand_in = layer if isinstance(layer, layers.Layer) else layer_for(layer)
    if not known.is_identity and not isinstance(stand_in, _LAYERS):
        return f"no form of {kind} with activations of 16 bits is known"
    if known.output_range is not None:
        return f"no form of {kind} with activations of 16 bits is known that ends at {known.output_range[1]}"
    if getattr(layer, "interpolation", "nearest") != "nearest":
        return f"its interpolation {layer.interpolation} has no form of 16 bits (nearest has)"
    if known.activation not in _ACTIVATIONS:
        allowed = ", ".join(_ACTIVATIONS)
        return f"its activation {known.activation} has no form of 16 bits ({allowed} have)"
    return ""
