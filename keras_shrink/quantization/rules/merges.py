"""Rules of layers that make one tensor of several."""

from __future__ import annotations

from keras import layers

from keras_shrink.quantization.merge_forms import ChainedMerge, JoinedRanges
from keras_shrink.quantization.rules.roles import Role, role


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
