"""Rules for what brings several tensors together, or brings one into another shape."""

from __future__ import annotations

import numpy as np
from keras import layers
from keras.src.ops import numpy

from keras_shrink.channels.network import Signal
from keras_shrink.channels.rule import rule


@rule.register(numpy.Add)
@rule.register(numpy.Divide)
@rule.register(numpy.Maximum)
@rule.register(numpy.Minimum)
@rule.register(numpy.Multiply)
@rule.register(numpy.Subtract)
@rule.register(numpy.TrueDivide)
def _(layer, step):
    if len({len(signal.shape) for signal in step.inputs}) > 1:
        return step.stop(f"{layer.name} joins tensors of different ranks")
    return _elementwise(layer, step)


@rule.register(layers.Add)
@rule.register(layers.Average)
@rule.register(layers.Maximum)
@rule.register(layers.Minimum)
@rule.register(layers.Multiply)
@rule.register(layers.Subtract)
def _elementwise(layer, step):
    """Ties the channels that meet; one that is broadcast over an axis meets all of them and stays."""
    shape = step.shapes[0]
    places = {signal.axis - len(signal.shape) for signal in step.inputs if len(signal.ids) != 1}
    if len(places) != 1:
        return step.stop(f"{layer.name} joins channels along different axes")
    (place,) = places
    full = [signal for signal in step.inputs if len(signal.ids) == shape[place] and len(signal.ids) != 1]
    for signal in step.inputs:
        if signal not in full:
            step.network.pin(signal.ids, f"{layer.name} repeats it")
        else:
            step.network.tie(full[0].ids, signal.ids)
    return [step.gives(full[0].ids, place)] if full else step.stop(f"{layer.name} joins unknown shapes")


@rule.register(layers.Concatenate)
@rule.register(numpy.Concatenate)
def _(layer, step):
    axes = {signal.axis for signal in step.inputs}
    if len(axes) > 1:
        return step.stop(f"{layer.name} joins channels along different axes")
    (place,) = axes
    lists = [signal.ids for signal in step.inputs]
    if layer.axis % len(step.shapes[0]) == place:
        return [step.gives(np.concatenate(lists), place)]
    for ids in lists[1:]:
        step.network.tie(lists[0], ids)
    return [step.gives(lists[0], place)]


@rule.register(layers.Permute)
def _(layer, step):
    signal = step.inputs[0]
    return [Signal(step.shapes[0], layer.dims.index(signal.axis) + 1, signal.ids)]


@rule.register(layers.Flatten)
def _(layer, step):
    return [_reshaped(step)]


@rule.register(layers.Reshape)
def _(layer, step):
    return _reshape(layer, step, "target_shape", layer.target_shape, 1)


@rule.register(numpy.Reshape)
def _(layer, step):
    return _reshape(layer, step, "newshape", layer.newshape, 0)


def _reshape(layer, step, name, target, skipped):
    """`target` are the dimensions in the configuration, which leaves out the first `skipped` ones."""
    output = _reshaped(step)
    place = output.axis - skipped

    def change(config, kept):
        if target[place] != -1:
            config[name] = (*target[:place], kept(output.ids), *target[place + 1 :])

    step.network.setting(layer, change)
    return [output]


def _reshaped(step):
    """Follows the channels through a reshape: along whichever axis they vary alone afterwards."""
    signal, shape = step.inputs[0], step.shapes[0]
    if None in signal.shape[1:] or None in shape[1:]:
        if signal.axis == len(signal.shape) - 1 and shape[-1] == signal.shape[-1]:
            return step.gives(signal.ids)
        return step.stop(f"{step.layer.name} reshapes a tensor of unknown shape")[0]
    lined_up = [1] * (len(signal.shape) - 1)
    lined_up[signal.axis - 1] = len(signal.ids)
    numbers = np.broadcast_to(signal.ids.reshape(lined_up), signal.shape[1:]).reshape(shape[1:])
    for axis in reversed(range(numbers.ndim)):
        first = tuple(slice(None) if other == axis else slice(0, 1) for other in range(numbers.ndim))
        if (numbers == numbers[first]).all():
            return step.gives(numbers[first].ravel(), axis + 1)
    return step.stop(f"{step.layer.name} spreads channels over several axes")[0]


@rule.register(numpy.GetItem)
def _(layer, step):
    """Cutting out of other axes than that of the channels."""
    signal = step.inputs[0]
    key = step.node.arguments.args[1]
    key = key if isinstance(key, tuple) else (key,)
    axis = signal.axis
    if any(not isinstance(part, int | slice) for part in key) or key[axis : axis + 1] not in (
        (),
        (slice(None),),
    ):
        return step.stop(f"{layer.name} picks out channels")
    return [Signal(step.shapes[0], axis - sum(isinstance(part, int) for part in key[:axis]), signal.ids)]
