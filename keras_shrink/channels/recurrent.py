"""Rules for recurrent layers: a unit is a column of every gate and a row of the recurrent kernel."""

from __future__ import annotations

import numpy as np
from keras import layers

from keras_shrink.channels.rule import rule, settle

_GATES = {layers.SimpleRNN: 1, layers.GRU: 3, layers.LSTM: 4}


@rule.register(layers.SimpleRNN)
@rule.register(layers.GRU)
@rule.register(layers.LSTM)
def _(layer, step):
    units = step.makes("units", layer.units)
    _unroll(layer, step, units)
    for index, state in enumerate(step.inputs[1:], start=1):
        if state.shape[-1] == layer.units and len(state.shape) == 2:
            step.network.tie(units, step.along(-1, index))
        else:
            step.network.pin(state.ids, f"read by {layer.name} in another place than the sequence")
    step.network.setting(layer, lambda config, kept: config.update(units=kept(units)))
    return [step.gives(units, -1, index) for index in range(len(step.shapes))]


def _unroll(layer, step, units):
    """Notes the weights and the work of one direction."""
    network, source = step.network, step.along(-1)
    gates = np.tile(units, next(count for kind, count in _GATES.items() if isinstance(layer, kind)))
    network.weight(layer.cell.kernel, {0: source, 1: gates}, makes=1)
    network.weight(layer.cell.recurrent_kernel, {0: units, 1: gates}, makes=1)
    if layer.cell.bias is not None:
        network.weight(layer.cell.bias, {-1: gates}, role="shifts")
    settle(step, units, layer.activation, getattr(layer, "recurrent_activation", None))
    steps = step.inputs[0].shape[1] or 1
    network.works(steps, layer.cell.kernel)
    network.works(steps, layer.cell.recurrent_kernel)


@rule.register(layers.Bidirectional)
def _(layer, step):
    pair = {"forward": layer.forward_layer, "backward": layer.backward_layer}
    if len(step.inputs) > 1 or not all(type(one) in _GATES for one in pair.values()):
        return step.stop(f"{layer.name} is more than two recurrent layers on a sequence")
    both = [step.makes(f"{way} units", one.units) for way, one in pair.items()]
    for one, units in zip(pair.values(), both, strict=True):
        _unroll(one, step, units)
    step.network.tie(*both)  # Keras takes the output to be twice as wide as the forward layer

    def change(config, kept):
        for name, units in zip(("layer", "backward_layer"), both, strict=True):
            config[name]["config"]["units"] = kept(units)

    step.network.setting(layer, change)
    if layer.merge_mode is None:
        merged = both
    else:
        merged = [np.concatenate(both)] if layer.merge_mode == "concat" else both[:1]
    states = (len(step.shapes) - len(merged)) // 2
    made = [*merged, *(way for way in both for _ in range(states))]
    return [step.gives(units, -1, index) for index, units in enumerate(made)]
