"""Rules of layers that multiply with weights."""

from __future__ import annotations

import dataclasses
import re

from keras import layers

from keras_shrink.quantization.linear_forms import TableLookup
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
    return _linear(layer, {"kernel": (0, 1)})


@role.register(layers.Conv2DTranspose)
def _(layer):
    # The kernel is (height, width, filters, channels).
    return _transposed(layer, (0, 1, 3))


@role.register(layers.Conv1DTranspose)
def _(layer):
    return _transposed(layer, (0, 2))


def _transposed(layer, axes) -> Role:
    """The converter folds no normalization and no activation into a transposed convolution."""
    made = _linear(layer, {"kernel": axes}, splits_activation=True)
    return made if made.reason else dataclasses.replace(made, takes_activation=False, is_linear=False)


@role.register(layers.Dense)
def _(layer):
    return _linear(layer, {"kernel": (0,)})


@role.register(layers.EinsumDense)
def _(layer):
    inputs, kernel, outputs = re.split(",|->", layer.equation.replace("...", "").replace(" ", ""))
    summed = [letter for letter in kernel if letter not in outputs]
    made = [letter for letter in kernel if letter in outputs]
    is_dense = kernel == "".join(summed + made) and inputs.endswith("".join(summed))
    if not is_dense or outputs != inputs[: len(inputs) - len(summed)] + "".join(made):
        return Role(
            reason=f"its equation {layer.equation} is not that of a Dense layer, which sums over the last "
            "axes of the input and the first of the kernel, such as abc,cde->abde"
        )
    if layer.bias_axes and set(layer.bias_axes) != set(made):
        return Role(
            reason=f"its bias has the axes {layer.bias_axes}, where that of a Dense layer has all that the "
            f"kernel makes: {''.join(made)}"
        )
    return _linear(layer, {"kernel": tuple(range(len(summed)))})


@role.register(layers.Embedding)
def _(layer):
    if layer.mask_zero:
        return Role(reason="mask_zero makes a mask, which the layers behind it would compute in float")
    return Role({"embeddings": None}, form=TableLookup, has_own_scale=True)


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
    weights = {"depthwise_kernel": (0,), "pointwise_kernel": (0, 1)}
    return _linear(layer, weights, form=SeparableAsTwo, inner_ranges=1)
