"""Rules of layers that are nothing but an activation."""

from __future__ import annotations

from keras import layers

from keras_shrink.quantization.activation_forms import SCALED_ELU_RANGES, ELUInSteps
from keras_shrink.quantization.activation_in_rounding import ActivationInRounding
from keras_shrink.quantization.depthwise_forms import (
    ReLU6AsDepthwise,
    SaturatedReLU,
    SaturatedReLUAsDepthwise,
)
from keras_shrink.quantization.rules.roles import FUSED, Role, activation_name, checked, role
from keras_shrink.weights import Transformed


@role.register(layers.ReLU)
def _(layer):
    if layer.threshold or (layer.max_value is not None and (layer.negative_slope or layer.max_value <= 0)):
        return Role(
            reason=f"ReLU(max_value={layer.max_value}, negative_slope={layer.negative_slope}, "
            f"threshold={layer.threshold}) has no integer form here (max_value alone has, or negative_slope)"
        )
    if layer.negative_slope:
        return Role(activation="leaky_relu", is_activation=True)
    if layer.max_value is None:
        return _alone("relu")
    if layer.max_value == 6:
        return _alone("relu6")
    return Role(
        activation="relu",
        is_activation=True,
        output_range=(0.0, float(layer.max_value)),
        form=SaturatedReLU,
        form_alone=SaturatedReLUAsDepthwise,
    )


@role.register(layers.ELU)
def _(layer):
    if layer.alpha == 1:
        return Role(activation="elu", is_activation=True)
    return Role(form=ELUInSteps, inner_ranges=SCALED_ELU_RANGES)


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
    return checked(layer, _alone(name))


def _alone(name) -> Role:
    form = ActivationInRounding if name in FUSED else Transformed
    form_alone = ReLU6AsDepthwise if name == "relu6" else None
    return Role(activation=name, is_activation=True, form=form, form_alone=form_alone)
