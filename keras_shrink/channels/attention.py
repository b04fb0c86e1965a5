"""Rules for attention: heads are cut as wholes, since the width of a head scales its scores."""

from __future__ import annotations

import inspect
import math

import numpy as np
from keras import layers

from keras_shrink.channels.rule import rule


def _arguments(step):
    """Returns the index of the input that is the query, the value and the key; others have to stay."""
    bound = inspect.signature(step.layer.call).bind(*step.node.arguments.args, **step.node.arguments.kwargs)
    position = {id(tensor): index for index, tensor in enumerate(step.node.input_tensors)}
    found = {name: position.get(id(value)) for name, value in bound.arguments.items()}
    query, value = found["query"], found["value"]
    key = value if found.get("key") is None else found["key"]
    known = {id(step.node.input_tensors[index]) for index in (query, value, key)}
    for tensor, signal in zip(step.node.input_tensors, step.inputs, strict=True):
        if id(tensor) not in known:
            step.network.pin(signal.ids, f"a mask of {step.layer.name}")
    return query, value, key


def _times(signal):
    return math.prod(n or 1 for n in signal.shape[1:-1])


def _project(step, arguments, heads, outputs, head_width):
    """Notes the weights and the work of the projections; `heads` are those of queries and of keys."""
    layer, network = step.layer, step.network
    (query, key, value), (readers, read) = arguments, heads
    made = [("_query_dense", query, readers), ("_key_dense", key, read), ("_value_dense", value, read)]
    if getattr(layer, "_gate_dense", None) is not None:
        made.append(("_gate_dense", query, readers))
    for name, index, ids in made:
        dense = getattr(layer, name)
        network.weight(dense.kernel, {0: step.along(-1, index), 1: ids}, makes=1)
        network.weight(dense.bias, {0: ids}, role="shifts")
        network.works(_times(step.inputs[index]), dense.kernel)
    network.weight(layer._output_dense.kernel, {0: readers, 2: outputs}, makes=2)
    network.weight(layer._output_dense.bias, {0: outputs}, role="shifts")
    network.works(_times(step.inputs[query]), layer._output_dense.kernel)
    scores = _times(step.inputs[query]) * _times(step.inputs[key])
    network.products.append((scores * head_width, readers))


@rule.register(layers.MultiHeadAttention)
def _(layer, step):
    if len(step.shapes) > 1 or (layer._output_shape is not None and len(layer._output_shape) > 1):
        return step.stop(f"{layer.name} gives more than one tensor of channels")
    query, value, key = _arguments(step)
    network = step.network
    heads = step.makes("heads", layer.num_heads, layer.value_dim)
    outputs = step.makes("units", step.shapes[0][-1])
    _project(step, (query, key, value), (heads, heads), outputs, layer.key_dim + layer.value_dim)
    network.setting(
        layer, lambda config, kept: config.update(num_heads=kept(heads), output_shape=(kept(outputs),))
    )
    return [step.gives(outputs)]


@rule.register(layers.GroupQueryAttention)
def _(layer, step):
    """A head of keys and values goes with the heads of queries that read it."""
    if len(step.shapes) > 1:
        return step.stop(f"{layer.name} gives more than one tensor of channels")
    query, value, key = _arguments(step)
    network = step.network
    heads = step.makes("heads", layer.num_key_value_heads, layer.head_dim)
    readers = np.repeat(heads, layer.num_query_heads // layer.num_key_value_heads)
    outputs = step.along(-1, query)  # as wide as the query by definition
    _project(step, (query, key, value), (readers, heads), outputs, 2 * layer.head_dim)
    network.setting(
        layer,
        lambda config, kept: config.update(num_query_heads=kept(readers), num_key_value_heads=kept(heads)),
    )
    return [step.gives(outputs)]


@rule.register(layers.Attention)
@rule.register(layers.AdditiveAttention)
def _(layer, step):
    """Scores are sums over the channels of query and key, so these are tied."""
    if len(step.shapes) > 1 or len(step.inputs) not in (2, 3):
        return step.stop(f"{layer.name} gives its scores or reads masks")
    query, value = step.along(-1, 0), step.along(-1, 1)
    key = step.along(-1, 2) if len(step.inputs) == 3 else value
    step.network.tie(query, key)
    if isinstance(layer, layers.AdditiveAttention):
        step.network.weight(layer.scale, {0: query})
    scores = _times(step.inputs[0]) * _times(step.inputs[1])
    step.network.products += [(scores, query), (scores, value)]
    return [step.gives(value)]
