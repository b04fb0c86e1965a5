"""What quantization knows of each layer class.

`role(layer)` is a `functools.singledispatch`: register a function for your own layer class to teach
it, `role.register(MyLayer, lambda layer: Role(...))`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import keras


@dataclass(frozen=True)
class Role:
    """How a layer is computed with integers.

    Attributes:
        weights: Name of a weight -> the axes over which it shares one scale.
        activation: Name of the activation inside the layer, `"linear"` where there is none.
        takes_activation: Whether a ReLU or ReLU6 behind it becomes part of the same integer operator.
        is_linear: Whether a BatchNormalization behind it can be folded into its weights.
        is_normalization: Whether it exists only folded into the linear layer before it.
        same_range: Whether its output has the range of its input, so that nothing is rounded.
        is_identity: Whether it does nothing in inference.
        reason: Why it cannot be quantized; empty where it can.
    """

    weights: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    activation: str = "linear"
    takes_activation: bool = False
    is_linear: bool = False
    is_normalization: bool = False
    is_activation: bool = False
    same_range: bool = False
    is_identity: bool = False
    reason: str = ""


# Output ranges that TFLite prescribes: scale 1/256 from zero point -128, and 1/128 around zero.
FIXED_RANGES = {"softmax": (0.0, 255 / 256), "sigmoid": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
FUSED = ("relu", "relu6")
SUPPORTED_ACTIVATIONS = ("linear", *FUSED, *FIXED_RANGES)


@functools.singledispatch
def role(layer) -> Role:
    """Returns the `Role` of a layer; unknown classes have a `reason`."""
    kind = type(layer).__name__
    if not isinstance(layer, keras.layers.Layer):
        return Role(reason=f"the operation {kind} is not a layer; use the keras.layers equivalent")
    return Role(reason=f"no integer form of {kind} is known; register one with quantization.rules.role")


def activation_name(activation) -> str:
    """Returns `"relu"` and the like for an activation function, or the repr of an unknown one."""
    if activation is None:
        return "linear"
    name = getattr(activation, "__name__", None)
    return name if name else repr(activation)


def _checked(layer, made: Role) -> Role:
    if made.activation not in SUPPORTED_ACTIVATIONS:
        allowed = ", ".join(SUPPORTED_ACTIVATIONS)
        return Role(reason=f"its activation {made.activation} has no integer form here (there are {allowed})")
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return Role(reason="data_format is channels_first; TFLite computes channels_last")
    return made


def _linear(layer, weights) -> Role:
    activation = activation_name(layer.activation)
    is_linear = activation == "linear"
    return _checked(
        layer, Role(weights=weights, activation=activation, is_linear=is_linear, takes_activation=is_linear)
    )


@role.register(keras.layers.Conv2D)
def _(layer):
    return _linear(layer, {"kernel": (0, 1, 2)})


@role.register(keras.layers.Dense)
def _(layer):
    return _linear(layer, {"kernel": (0,)})


@role.register(keras.layers.DepthwiseConv2D)
def _(layer):
    # The kernel is (height, width, channels, multiplier): each channel and multiplier has its scale.
    return _linear(layer, {"kernel": (0, 1)})


@role.register(keras.layers.BatchNormalization)
def _(layer):
    rank = layer.input_spec.ndim if layer.built and layer.input_spec is not None else None
    if layer.axis != -1 and (rank is None or layer.axis != rank - 1):
        return Role(reason=f"it normalizes axis {layer.axis}; only the last can be folded")
    return Role(is_normalization=True, takes_activation=True)


@role.register(keras.layers.Add)
def _(layer):
    return Role(takes_activation=True)


@role.register(keras.layers.ReLU)
def _(layer):
    if layer.negative_slope or layer.threshold or layer.max_value not in (None, 6):
        return Role(
            reason=f"ReLU(max_value={layer.max_value}, negative_slope={layer.negative_slope}, "
            f"threshold={layer.threshold}) has no integer form here (max_value None or 6 has)"
        )
    return Role(activation="relu" if layer.max_value is None else "relu6", is_activation=True)


@role.register(keras.layers.Softmax)
def _(layer):
    if layer.axis != -1:
        return Role(reason=f"softmax over axis {layer.axis}; TFLite computes it over the last")
    return Role(activation="softmax", is_activation=True)


@role.register(keras.layers.Activation)
def _(layer):
    name = activation_name(layer.activation)
    if name == "linear":
        return Role(same_range=True, is_identity=True)
    return _checked(layer, Role(activation=name, is_activation=True))


@role.register(keras.layers.GlobalAveragePooling2D)
def _(layer):
    return _checked(layer, Role())


@role.register(keras.layers.MaxPooling2D)
@role.register(keras.layers.AveragePooling2D)
@role.register(keras.layers.GlobalMaxPooling2D)
def _(layer):
    return _checked(layer, Role(same_range=True))


@role.register(keras.layers.Flatten)
@role.register(keras.layers.Reshape)
def _(layer):
    return Role(same_range=True)


@role.register(keras.layers.Dropout)
@role.register(keras.layers.SpatialDropout2D)
@role.register(keras.layers.GaussianNoise)
@role.register(keras.layers.GaussianDropout)
@role.register(keras.layers.ActivityRegularization)
@role.register(keras.layers.Identity)
def _(layer):
    return Role(same_range=True, is_identity=True)
