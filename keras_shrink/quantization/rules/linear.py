"""Rules of layers that multiply with weights."""

from __future__ import annotations

import dataclasses

from keras import layers

from keras_shrink.quantization.rules.roles import Role, activation_name, checked, role
from keras_shrink.quantization.separable_forms import SeparableAsTwo


def _linear(layer, weights, **more) -> Role:
    activation = activation_name(layer.activation)
    is_linear = activation == "linear"
    made = Role(weights, activation, takes_activation=is_linear, is_linear=is_linear, **more)
    return checked(layer, made)


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
