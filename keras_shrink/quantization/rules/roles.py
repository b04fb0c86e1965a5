"""What quantization has to know of a layer class, and the function that the rules register with."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from keras import layers

from keras_shrink.quantization.operations import layer_for
from keras_shrink.weights import Transformed


@dataclass(frozen=True)
class Role:
    """How a layer is computed with integers.

    Attributes:
        weights: Name of a weight -> the axes over which it shares one scale; None for all of them.
        activation: Name of the activation inside the layer, `"linear"` where there is none.
        takes_activation: Whether a ReLU or ReLU6 behind it becomes part of the same integer operator.
        is_linear: Whether a BatchNormalization behind it can be folded into its weights.
        is_normalization: Whether it can be folded into a linear layer before it.
        splits_activation: Whether its own activation is an operator of its own in any case.
        is_activation: Whether it is nothing but an activation.
        same_range: Whether its output has the range of its input, so that nothing is rounded.
        joins_ranges: Whether all its inputs must have the scale of its output.
        is_identity: Whether it does nothing in inference.
        output_range: `(low, high)` where the operator prescribes it; an activation's own goes before.
        has_own_scale: Whether the scale of its output is its own, by its weights or because it computes
            with it further on, so that nothing is rounded behind it.
        rounds_before_joins: Whether it has a range of its own in front of a join of ranges too, where the
            converter would take the scale of its input for that of its output, and so for the join's.
        form: The wrapper class that computes it.
        form_alone: The same for an activation that no operator before it can take in; None for `form`.
        inner_ranges: How many results inside the form are rounded.
        reason: Why it cannot be quantized; empty where it can.
    """

    weights: Mapping[str, tuple[int, ...] | None] = field(default_factory=dict)
    activation: str = "linear"
    takes_activation: bool = False
    is_linear: bool = False
    is_normalization: bool = False
    splits_activation: bool = False
    is_activation: bool = False
    same_range: bool = False
    joins_ranges: bool = False
    is_identity: bool = False
    output_range: tuple[float, float] | None = None
    has_own_scale: bool = False
    rounds_before_joins: bool = False
    form: type[Transformed] = Transformed
    form_alone: type[Transformed] | None = None
    inner_ranges: int = 0
    reason: str = ""

    @property
    def prescribed_range(self) -> tuple[float, float] | None:
        """The range of its output where it is known beforehand."""
        return self.output_range or FIXED_RANGES.get(self.activation)


FUSED = ("relu", "relu6")
# Output ranges that TFLite prescribes: scale 1/256 from zero point -128, and 1/128 around zero.
# That of log_softmax is 16/256 with zero point 127.
FIXED_RANGES = {
    "softmax": (0.0, 255 / 256),
    "sigmoid": (0.0, 255 / 256),
    "tanh": (-1.0, 127 / 128),
    "log_softmax": (-15.9375, 0.0),
}
COMPOSED = ("silu", "gelu", "hard_sigmoid", "softplus", "selu")
PLAIN = ("leaky_relu", "hard_silu", "elu")
SUPPORTED_ACTIVATIONS = ("linear", *FUSED, *FIXED_RANGES, *PLAIN, *COMPOSED)


@functools.singledispatch
def role(layer) -> Role:
    """Returns the `Role` of a layer; unknown classes have a `reason`."""
    kind = type(layer).__name__
    if not isinstance(layer, layers.Layer):
        stand_in = layer_for(layer)
        if stand_in is not None:
            return role(stand_in)
        return Role(reason=f"the operation {kind} has no integer form here; use a layer that has one")
    return Role(reason=f"no integer form of {kind} is known; register one with quantization.rules.role")


def activation_name(activation) -> str:
    """Returns `"relu"` and the like for an activation function, or the repr of an unknown one."""
    if activation is None:
        return "linear"
    name = getattr(activation, "__name__", None)
    return {"swish": "silu", "hard_swish": "hard_silu"}.get(name, name) if name else repr(activation)


def checked(layer, made: Role) -> Role:
    """Returns `made`, or the reason why the settings of `layer` have no integer form."""
    if made.activation not in SUPPORTED_ACTIVATIONS:
        allowed = ", ".join(SUPPORTED_ACTIVATIONS)
        return Role(reason=f"its activation {made.activation} has no integer form here (there are {allowed})")
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        return Role(reason="data_format is channels_first; TFLite computes channels_last")
    return made
