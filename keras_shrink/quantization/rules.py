"""What quantization knows of each layer class.

`role(layer)` is a `functools.singledispatch`: register a function for your own layer class to teach
it, `role.register(MyLayer, lambda layer: Role(...))`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from keras import layers

from keras_shrink.quantization.depthwise_forms import AffineAsDepthwise, ReLU6AsDepthwise
from keras_shrink.quantization.merge_forms import ChainedMerge, JoinedRanges, NearestUpSampling
from keras_shrink.quantization.separable_forms import SeparableAsTwo
from keras_shrink.weights import Transformed


@dataclass(frozen=True)
class Role:
    """How a layer is computed with integers.

    Attributes:
        weights: Name of a weight -> the axes over which it shares one scale.
        activation: Name of the activation inside the layer, `"linear"` where there is none.
        takes_activation: Whether a ReLU or ReLU6 behind it becomes part of the same integer operator.
        is_linear: Whether a BatchNormalization behind it can be folded into its weights.
        is_normalization: Whether it can be folded into a linear layer before it.
        splits_activation: Whether its own activation is an operator of its own in any case.
        is_activation: Whether it is nothing but an activation.
        same_range: Whether its output has the range of its input, so that nothing is rounded.
        joins_ranges: Whether all its inputs must have the scale of its output.
        is_identity: Whether it does nothing in inference.
        form: The wrapper class that computes it.
        inner_ranges: How many results inside the form are rounded.
        reason: Why it cannot be quantized; empty where it can.
    """

    weights: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    activation: str = "linear"
    takes_activation: bool = False
    is_linear: bool = False
    is_normalization: bool = False
    splits_activation: bool = False
    is_activation: bool = False
    same_range: bool = False
    joins_ranges: bool = False
    is_identity: bool = False
    form: type[Transformed] = Transformed
    inner_ranges: int = 0
    reason: str = ""


FUSED = ("relu", "relu6")
# Output ranges that TFLite prescribes: scale 1/256 from zero point -128, and 1/128 around zero.
FIXED_RANGES = {"softmax": (0.0, 255 / 256), "sigmoid": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
COMPOSED = ("silu", "gelu", "hard_sigmoid")
PLAIN = ("leaky_relu", "hard_silu")
SUPPORTED_ACTIVATIONS = ("linear", *FUSED, *FIXED_RANGES, *PLAIN, *COMPOSED)
ELEMENTWISE = {"Add": "add", "Subtract": "subtract", "Multiply": "multiply"}


@functools.singledispatch
def role(layer) -> Role:
    """Returns the `Role` of a layer; unknown classes have a `reason`."""
    kind = type(layer).__name__
    if not isinstance(layer, layers.Layer):
        if kind in ELEMENTWISE:
            return Role(takes_activation=True)
        return Role(reason=f"the operation {kind} is not a layer; use the keras.layers equivalent")
    return Role(reason=f"no integer form of {kind} is known; register one with quantization.rules.role")


def activation_name(activation) -> str:
    """Returns `"relu"` and the like for an activation function, or the repr of an unknown one."""
    if activation is None:
        return "linear"
    name = getattr(activation, "__name__", None)
    return {"swish": "silu", "hard_swish": "hard_silu"}.get(name, name) if name else repr(activation)


def _checked(layer, made: Role) -> Role:
    if made.activation not in SUPPORTED_ACTIVATIONS:
        allowed = ", ".join(SUPPORTED_ACTIVATIONS)
        return Role(reason=f"its activation {made.activation} has no integer form here (there are {allowed})")
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        return Role(reason="data_format is channels_first; TFLite computes channels_last")
    return made


def _linear(layer, weights, **more) -> Role:
    activation = activation_name(layer.activation)
    is_linear = activation == "linear"
    made = Role(weights, activation, takes_activation=is_linear, is_linear=is_linear, **more)
    return _checked(layer, made)


def _same_range(layer) -> Role:
    return _checked(layer, Role(same_range=True))


@role.register(layers.Conv2D)
def _(layer):
    return _linear(layer, {"kernel": (0, 1, 2)})


@role.register(layers.Conv1D)
def _(layer):
    if layer.padding == "causal":
        return Role(reason="its causal padding is an operator of its own; put ZeroPadding1D before it")
    return _linear(layer, {"kernel": (0, 1)})


@role.register(layers.Conv2DTranspose)
def _(layer):
    # The kernel is (height, width, filters, channels). The converter folds no normalization into it.
    made = _linear(layer, {"kernel": (0, 1, 3)}, splits_activation=True)
    if made.activation == "relu6":
        return Role(reason="its operator takes in no ReLU6; put the activation into a layer of its own")
    return made if made.reason else dataclasses.replace(made, takes_activation=False, is_linear=False)


@role.register(layers.Dense)
def _(layer):
    return _linear(layer, {"kernel": (0,)})


@role.register(layers.DepthwiseConv2D)
def _(layer):
    # The kernel is (height, width, channels, multiplier): each channel and multiplier has its scale.
    return _linear(layer, {"kernel": (0, 1)})


@role.register(layers.DepthwiseConv1D)
def _(layer):
    return _linear(layer, {"kernel": (0,)})


@role.register(layers.SeparableConv2D)
def _(layer):
    weights = {"depthwise_kernel": (0, 1), "pointwise_kernel": (0, 1, 2)}
    return _linear(layer, weights, form=SeparableAsTwo, inner_ranges=1)


@role.register(layers.SeparableConv1D)
def _(layer):
    if layer.padding == "causal":
        return Role(reason="its causal padding is an operator of its own; put ZeroPadding1D before it")
    weights = {"depthwise_kernel": (0,), "pointwise_kernel": (0, 1)}
    return _linear(layer, weights, form=SeparableAsTwo, inner_ranges=1)


@role.register(layers.BatchNormalization)
def _(layer):
    rank = layer.input_spec.ndim if layer.built and layer.input_spec is not None else None
    if layer.axis != -1 and (rank is None or layer.axis != rank - 1):
        return Role(reason=f"it normalizes axis {layer.axis}; only the last has an integer form")
    return Role(is_normalization=True, takes_activation=True)


@role.register(layers.Rescaling)
@role.register(layers.Normalization)
def _(layer):
    if getattr(layer, "invert", False):
        return Role(reason="an inverted normalization has no integer form here")
    axis = getattr(layer, "axis", None)
    if axis not in (None, (-1,), (), (3,), (2,), (1,), -1):
        return Role(reason=f"it normalizes the axes {axis}; only the last has an integer form")
    return Role(takes_activation=True, form=AffineAsDepthwise)


@role.register(layers.Add)
@role.register(layers.Subtract)
@role.register(layers.Multiply)
def _(layer):
    count = _inputs_of(layer)
    return Role(takes_activation=True, form=ChainedMerge, inner_ranges=count - 2)


@role.register(layers.Average)
def _(layer):
    return Role(form=ChainedMerge, inner_ranges=_inputs_of(layer) - 1)


@role.register(layers.Concatenate)
@role.register(layers.Maximum)
@role.register(layers.Minimum)
def _(layer):
    return Role(joins_ranges=True, form=JoinedRanges)


def _inputs_of(layer) -> int:
    return max(len(node.input_tensors) for node in layer._inbound_nodes)


@role.register(layers.ReLU)
def _(layer):
    if layer.threshold or layer.max_value not in (None, 6) or (layer.negative_slope and layer.max_value):
        return Role(
            reason=f"ReLU(max_value={layer.max_value}, negative_slope={layer.negative_slope}, "
            f"threshold={layer.threshold}) has no integer form here (max_value None or 6 has)"
        )
    if layer.negative_slope:
        return Role(activation="leaky_relu", is_activation=True)
    return Role(activation="relu" if layer.max_value is None else "relu6", is_activation=True)


@role.register(layers.LeakyReLU)
def _(layer):
    return Role(activation="leaky_relu", is_activation=True)


@role.register(layers.PReLU)
def _(layer):
    axes = tuple(range(len(layer.alpha.shape))) if layer.built else ()
    return Role({"alpha": axes}, activation="leaky_relu", is_activation=True)


@role.register(layers.Softmax)
def _(layer):
    if layer.axis != -1:
        return Role(reason=f"softmax over axis {layer.axis}; TFLite computes it over the last")
    return Role(activation="softmax", is_activation=True)


@role.register(layers.Activation)
def _(layer):
    name = activation_name(layer.activation)
    if name == "linear":
        return Role(same_range=True, is_identity=True)
    return _checked(layer, Role(activation=name, is_activation=True))


@role.register(layers.GlobalAveragePooling2D)
@role.register(layers.GlobalAveragePooling1D)
def _(layer):
    return _checked(layer, Role())


for _kind in (
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Flatten,
    layers.Reshape,
    layers.Permute,
    layers.RepeatVector,
):
    role.register(_kind, _same_range)


@role.register(layers.UpSampling1D)
@role.register(layers.UpSampling2D)
def _(layer):
    interpolation = getattr(layer, "interpolation", "nearest")
    if interpolation not in ("nearest", "bilinear"):
        return Role(
            reason=f"its interpolation {interpolation} has no integer form (nearest and bilinear have)"
        )
    form = NearestUpSampling if interpolation == "nearest" else Transformed
    return _checked(layer, Role(same_range=True, form=form))


def _identity(layer) -> Role:
    return Role(same_range=True, is_identity=True)


for _kind in (
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.AlphaDropout,
    layers.GaussianNoise,
    layers.GaussianDropout,
    layers.ActivityRegularization,
    layers.Identity,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
    layers.RandomContrast,
    layers.RandomBrightness,
):
    role.register(_kind, _identity)

STANDALONE_NORMALIZATION = Role(takes_activation=True, form=AffineAsDepthwise)
STANDALONE_RELU6 = Role(activation="relu6", is_activation=True, form=ReLU6AsDepthwise)
