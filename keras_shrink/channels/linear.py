"""Rules for dense layers, convolutions and embeddings."""

from __future__ import annotations

import keras
import numpy as np
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv

from keras_shrink.channels.rule import rule, settle


def _bias(step, ids):
    if getattr(step.layer, "bias", None) is not None:
        step.network.weight(step.layer.bias, {-1: ids}, role="shifts")


def _counts(step, name, ids):
    step.network.setting(step.layer, lambda config, kept: config.update({name: kept(ids)}))


@rule.register(keras.layers.Dense)
def _(layer, step):
    source, units = step.along(-1), step.makes("units", layer.units)
    step.network.weight(layer.kernel, {0: source, 1: units}, makes=1)
    _bias(step, units)
    _counts(step, "units", units)
    output = step.gives(settle(step, units, layer.activation))
    step.network.works(output.positions, layer.kernel)
    return [output]


@rule.register(keras.layers.EinsumDense)
def _(layer, step):
    letters, _, result = layer.equation.replace(" ", "").replace("...", "").partition("->")
    given, _, kernel = letters.partition(",")
    summed = [letter for letter in kernel if letter not in result]
    made = [letter for letter in kernel if letter not in given]
    if (
        summed != [given[-1]]
        or made != [result[-1]]
        or len(kernel) != 2
        or layer.bias_axes not in (None, made[0])
    ):
        return step.stop(f"{layer.name} is more than a dense layer")
    source, units = step.along(-1), step.makes("units", step.shapes[0][-1])
    axes = {kernel.index(summed[0]): source, kernel.index(made[0]): units}
    step.network.weight(layer.kernel, axes, makes=kernel.index(made[0]))
    _bias(step, units)
    step.network.setting(
        layer,
        lambda config, kept: config.update(output_shape=(*layer.partial_output_shape[:-1], kept(units))),
    )
    output = step.gives(settle(step, units, layer.activation))
    step.network.works(output.positions, layer.kernel)
    return [output]


@rule.register(BaseConv)
def _(layer, step):
    source, filters = step.along(-1), step.makes("filters", layer.filters)
    axes = {-1: filters}
    if layer.groups == 1:
        axes[-2] = source
        _counts(step, "filters", filters)
    else:
        axes |= _grouped(layer, step, source, filters)
    step.network.weight(layer.kernel, axes, makes=-1)
    _bias(step, filters)
    output = step.gives(settle(step, filters, layer.activation))
    step.network.works(output.positions, layer.kernel)
    return [output]


def _grouped(layer, step, source, filters):
    """Ties the channels of a grouped convolution, and returns the kernel's axis of the channels in, if cut.

    Many small groups are cut as wholes. Of few large ones each loses the channels at the same places.
    """
    per_group = source.reshape(layer.groups, -1)
    made = filters.reshape(layer.groups, -1)
    tie = step.network.tie
    if layer.groups >= per_group.shape[1]:
        heads = per_group[:, :1]
        for channels in (per_group, made):
            tie(np.broadcast_to(heads, channels.shape).ravel(), channels.ravel())
        step.network.setting(
            layer, lambda config, kept: config.update(filters=kept(filters), groups=kept(heads))
        )
        return {}
    for channels in (per_group, made):
        tie(np.broadcast_to(channels[:1], channels.shape).ravel(), channels.ravel())
    _counts(step, "filters", filters)
    return {-2: per_group[0]}


@rule.register(BaseConvTranspose)
def _(layer, step):
    source, filters = step.along(-1), step.makes("filters", layer.filters)
    step.network.weight(layer.kernel, {-1: source, -2: filters}, makes=-2)
    _bias(step, filters)
    _counts(step, "filters", filters)
    step.network.works(step.inputs[0].positions, layer.kernel)
    return [step.gives(settle(step, filters, layer.activation))]


@rule.register(BaseDepthwiseConv)
def _(layer, step):
    source = step.along(-1)
    made = np.repeat(source, layer.depth_multiplier)
    step.network.weight(layer.kernel, {-2: source}, makes=-2)
    _bias(step, made)
    output = step.gives(settle(step, made, layer.activation))
    step.network.works(output.positions, layer.kernel)
    return [output]


@rule.register(BaseSeparableConv)
def _(layer, step):
    source, filters = step.along(-1), step.makes("filters", layer.filters)
    between = np.repeat(source, layer.depth_multiplier)
    step.network.weight(layer.depthwise_kernel, {-2: source})
    step.network.weight(layer.pointwise_kernel, {-2: between, -1: filters}, makes=-1)
    _bias(step, filters)
    _counts(step, "filters", filters)
    output = step.gives(settle(step, filters, layer.activation))
    step.network.works(output.positions, layer.depthwise_kernel)
    step.network.works(output.positions, layer.pointwise_kernel)
    return [output]


@rule.register(keras.layers.Embedding)
def _(layer, step):
    units = step.makes("units", layer.output_dim)
    step.network.weight(layer.embeddings, {1: units}, makes=1)
    _counts(step, "output_dim", units)
    return [step.gives(units)]
