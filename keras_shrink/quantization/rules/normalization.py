"""Rules of layers that scale and shift."""

from __future__ import annotations

from keras import layers

from keras_shrink.quantization.depthwise_forms import AffineAsDepthwise
from keras_shrink.quantization.rules.roles import Role, role

STANDALONE_NORMALIZATION = Role(takes_activation=True, form=AffineAsDepthwise)


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
