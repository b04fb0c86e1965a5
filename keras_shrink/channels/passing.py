"""Rules for what treats each channel by itself: activations, normalization, pooling, padding, dropout."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from keras.src.layers.pooling.base_adaptive_pooling import BaseAdaptivePooling
from keras.src.layers.pooling.base_global_pooling import BaseGlobalPooling
from keras.src.layers.pooling.base_pooling import BasePooling
from keras.src.ops import nn, numpy

from keras_shrink.channels.network import Signal, Step
from keras_shrink.channels.rule import apply, is_elementwise, rule


def _pass(layer, step):
    source = step.inputs[0]
    return [Signal(step.shapes[0], source.axis, source.ids)]


def _pass_last(layer, step):
    return [step.gives(step.along(-1))]


_AS_THEY_ARE = (
    *(layers.Identity, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.ActivityRegularization),
    *(layers.Dropout, layers.AlphaDropout, layers.GaussianDropout, layers.GaussianNoise),
    *(numpy.Abs, numpy.Absolute, numpy.Clip, numpy.Exp, numpy.Log, numpy.Negative, numpy.Square, numpy.Sqrt),
    *(numpy.Tanh, nn.Relu, nn.Relu6, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.Silu, nn.LeakyRelu, nn.Elu),
    *(nn.HardSigmoid, nn.HardSilu, nn.Selu, nn.Gelu),
)
_CHANNELS_LAST = (
    *(BasePooling, BaseGlobalPooling, BaseAdaptivePooling, layers.RepeatVector),
    *(layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
    *(layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D),
    *(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D),
    *(layers.Cropping1D, layers.Cropping2D, layers.Cropping3D),
)
for _kind in _AS_THEY_ARE:
    rule.register(_kind, _pass)
for _kind in _CHANNELS_LAST:
    rule.register(_kind, _pass_last)


@rule.register(layers.Activation)
def _(layer, step):
    if not is_elementwise(layer.activation):
        return step.stop(f"{layer.name} looks at all channels")
    return _pass(layer, step)


@rule.register(layers.Softmax)
@rule.register(layers.LayerNormalization)
def _(layer, step):
    rank = len(step.shapes[0])
    if step.inputs[0].axis in {axis % rank for axis in np.ravel(layer.axis).tolist()}:
        return step.stop(f"{layer.name} looks at all channels")
    return _pass(layer, step)


@rule.register(layers.Rescaling)
def _(layer, step):
    if np.size(layer.scale) > 1 or np.size(layer.offset) > 1:
        return step.stop(f"{layer.name} computes with a constant array")
    return _pass(layer, step)


@rule.register(layers.PReLU)
def _(layer, step):
    axis = step.inputs[0].axis - 1
    if layer.alpha.shape[axis] != 1:
        step.network.weight(layer.alpha, {axis: step.inputs[0].ids}, role="shifts")
    return _pass(layer, step)


@rule.register(layers.BatchNormalization)
def _(layer, step):
    signal = step.inputs[0]
    if layer.axis % len(signal.shape) == signal.axis:
        _scale_and_shift(layer, step)
        for variable in (layer.moving_mean, layer.moving_variance):
            step.network.weight(variable, {0: signal.ids}, role="shifts")
    return _pass(layer, step)


@rule.register(layers.GroupNormalization)
def _(layer, step):
    """Groups are cut as wholes: a channel less would change the statistics of the others."""
    signal = step.inputs[0]
    if layer.axis % len(signal.shape) != signal.axis:
        return step.stop(f"{layer.name} mixes their axis")
    groups = signal.ids.reshape(layer.groups, -1)
    step.network.tie(np.broadcast_to(groups[:, :1], groups.shape).ravel(), groups.ravel())
    step.network.setting(layer, lambda config, kept: config.update(groups=kept(groups[:, 0])))
    _scale_and_shift(layer, step)
    return _pass(layer, step)


def _scale_and_shift(layer, step):
    ids = step.inputs[0].ids
    step.network.weight(getattr(layer, "gamma", None), {0: ids}, role="scales")
    step.network.weight(getattr(layer, "beta", None), {0: ids}, role="shifts")


@rule.register(numpy.Mean)
@rule.register(numpy.Max)
@rule.register(numpy.Min)
@rule.register(numpy.Sum)
def _(layer, step):
    """A reduction over other axes."""
    signal = step.inputs[0]
    rank = len(signal.shape)
    reduced = range(rank) if layer.axis is None else {axis % rank for axis in np.ravel(layer.axis).tolist()}
    if signal.axis in reduced:
        return step.stop(f"{layer.name} looks at all channels")
    shift = 0 if layer.keepdims else sum(axis < signal.axis for axis in reduced)
    return [Signal(step.shapes[0], signal.axis - shift, signal.ids)]


@rule.register(layers.TimeDistributed)
def _(layer, step):
    """The layer inside sees one time step."""
    signal, inner = step.inputs[0], layer.layer
    if len(step.inputs) > 1 or signal.axis < 2 or isinstance(inner, keras.Model):
        return step.stop(f"{layer.name} repeats more than a layer with one input")
    start = len(step.network.work)
    inputs = [Signal((signal.shape[0], *signal.shape[2:]), signal.axis - 1, signal.ids)]
    shapes = [(shape[0], *shape[2:]) for shape in step.shapes]
    outputs = apply(Step(step.network, inner, None, inputs, shapes))
    steps = signal.shape[1] or 1
    step.network.work[start:] = [(steps * times, variable) for times, variable in step.network.work[start:]]
    change = step.network.settings.get(id(inner))
    if change is not None:
        step.network.setting(layer, lambda config, kept: change(config["layer"]["config"], kept))
    return [
        Signal(shape, output.axis + 1, output.ids) for shape, output in zip(step.shapes, outputs, strict=True)
    ]
