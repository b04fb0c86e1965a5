"""Rules of layers that normalize, scale and shift."""

from __future__ import annotations

import math

from keras import layers

from keras_shrink.quantization.depthwise_forms import AffineAsDepthwise
from keras_shrink.quantization.normalization_forms import (
    DIRECTION_RANGE,
    LONGEST_ROW,
    NormalizedGroups,
    NormalizedLayer,
    NormalizedRootMeanSquare,
    UnitRows,
)
from keras_shrink.quantization.rules.roles import Role, role

STANDALONE_NORMALIZATION = Role(takes_activation=True, form=AffineAsDepthwise)


@role.register(layers.BatchNormalization)
def _(layer):
    if not _is_last(layer, layer.axis):
        return STANDALONE_NORMALIZATION
    return Role(is_normalization=True, takes_activation=True)


@role.register(layers.Rescaling)
@role.register(layers.Normalization)
def _(layer):
    return Role(takes_activation=True, form=AffineAsDepthwise)


@role.register(layers.LayerNormalization)
@role.register(layers.RMSNormalization)
def _(layer):
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    rank = len(_input_shape(layer))
    if sorted(axis % rank for axis in axes) != list(range(rank - len(axes), rank)):
        return Role(reason=f"it normalizes the axes {axes}; only the last ones have an integer form")
    if getattr(layer, "rms_scaling", False):
        return Role(reason="rms_scaling has no integer form; use RMSNormalization")
    is_centered = isinstance(layer, layers.LayerNormalization)
    length = math.prod(_input_shape(layer)[-len(axes) :])
    return _rows(NormalizedLayer if is_centered else NormalizedRootMeanSquare, length)


@role.register(layers.GroupNormalization)
def _(layer):
    if not _is_last(layer, layer.axis):
        return Role(reason=f"its channels are on axis {layer.axis}; only the last has an integer form")
    shape = _input_shape(layer)
    groups = shape[-1] if layer.groups == -1 else layer.groups
    return _rows(NormalizedGroups, math.prod(shape[1:]) // groups)


@role.register(layers.UnitNormalization)
def _(layer):
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if len(axes) > 1 or not _is_last(layer, axes[0]):
        return Role(reason=f"it normalizes the axes {axes}; only the last has an integer form")
    return Role(output_range=DIRECTION_RANGE, form=UnitRows)


def _rows(form, length) -> Role:
    if length > LONGEST_ROW:
        return Role(
            reason=f"it normalizes {length:,} values together, whose sum of squares does not fit into 32 "
            f"bits (up to {LONGEST_ROW:,} do); use BatchNormalization"
        )
    return Role(form=form, inner_ranges=form.inner_ranges(length), takes_activation=True)


def _input_shape(layer):
    return tuple(layer._inbound_nodes[0].input_tensors[0].shape)


def _is_last(layer, axis) -> bool:
    return axis % len(_input_shape(layer)) == len(_input_shape(layer)) - 1
