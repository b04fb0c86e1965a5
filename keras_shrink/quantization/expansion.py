"""Layers around layers, TimeDistributed and Bidirectional, as the layers that they stand for."""

from __future__ import annotations

import keras
from keras import layers

from keras_shrink.quantization.time_axis import FoldTime, ReverseTime, UnfoldTime
from keras_shrink.rebuild import rebuild

_MERGES = {"concat": layers.Concatenate, "sum": layers.Add, "ave": layers.Average, "mul": layers.Multiply}


def expand(model, shared=None):
    """Returns a copy in which nested models take the places of TimeDistributed and Bidirectional layers.

    They have the names of these layers and compute the same: steps folded into the batch; a layer for
    each direction, and a merge. The model given is returned as it is where there is nothing to do.

    Args:
        model: A built Functional or Sequential model. It is not touched.
        shared: `id(weight)` -> anything that is known of it. Defaults to nothing.

    Returns:
        The copy, and what is known of its weights.
    """
    known = dict(shared or {})
    if not any(_can_expand(layer) for layer in model._flatten_layers(include_self=False)):
        return model, known
    pairs = []

    def exchange(copy, original):
        pairs.append((original, copy))
        if not _can_expand(original):
            return copy
        (given,) = original._inbound_nodes[0].input_tensors
        inputs = keras.Input(batch_shape=given.shape, dtype=given.dtype)
        parts = _distributed if isinstance(original, layers.TimeDistributed) else _both_directions
        return keras.Model(inputs, parts(copy, original, inputs), name=original.name)

    new = rebuild(model, exchange)
    for original, copy in pairs:
        weights = zip(getattr(original, "weights", []), getattr(copy, "weights", []), strict=False)
        known |= {id(there): known[id(here)] for here, there in weights if id(here) in known}
    return new, known


def reason_against(layer) -> str:
    """Returns why a recurrent layer or one around layers gets more than a sequence; empty where not."""
    for node in getattr(layer, "_inbound_nodes", []):
        if len(node.input_tensors) > 1:
            return (
                "a mask or an initial state reaches it, and a device computes every step from a state of "
                "zeros; pad in front, without a mask"
            )
    return ""


def _can_expand(layer) -> bool:
    """Whether a layer is one around layers and gets a sequence of known length alone."""
    if not isinstance(layer, layers.TimeDistributed | layers.Bidirectional) or reason_against(layer):
        return False
    nodes = layer._inbound_nodes
    return bool(nodes) and all(None not in node.input_tensors[0].shape[1:2] for node in nodes)


def _distributed(copy, original, inputs):
    inner = copy.layer
    outputs = inner(FoldTime()(inputs))
    inner.set_weights(original.layer.get_weights())
    if isinstance(inner, keras.Model):
        expanded, _ = expand(inner)
        outputs = outputs if expanded is inner else expanded(FoldTime()(inputs))
    return UnfoldTime(inputs.shape[1])(outputs)


def _both_directions(copy, original, inputs):
    results = [copy.forward_layer(inputs), copy.backward_layer(inputs)]
    copy.forward_layer.set_weights(original.forward_layer.get_weights())
    copy.backward_layer.set_weights(original.backward_layer.get_weights())
    if original.return_sequences:
        results[1] = ReverseTime()(results[1])
    return results if original.merge_mode is None else _MERGES[original.merge_mode]()(results)
