"""Rules of layers that are nothing but an activation."""

from __future__ import annotations

from keras import layers

from keras_shrink.quantization.depthwise_forms import ReLU6AsDepthwise
from keras_shrink.quantization.rules.roles import Role, activation_name, checked, role

STANDALONE_RELU6 = Role(activation="relu6", is_activation=True, form=ReLU6AsDepthwise)


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
    return checked(layer, Role(activation=name, is_activation=True))
