"""A model as the flat list of its layer calls, nested models opened up."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import keras


@dataclass(frozen=True)
class Call:
    """One call of a layer (or of a bare Keras operation such as `x + y`).

    Attributes:
        layer: The layer or `keras.Operation`.
        inputs: Keys of the tensors it reads, in order.
        outputs: Keys of the tensors it makes, in order.
        shapes: Shapes of the tensors it reads, batch dimension included.
        node: The Keras node of the call: its arguments, and the shapes of what it makes.
    """

    layer: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shapes: tuple[tuple[int | None, ...], ...] = ()
    node: Any = field(repr=False, default=None)


@dataclass(frozen=True)
class Flow:
    """All calls of a model in execution order.

    Attributes:
        calls: In an order in which every tensor is made before it is read.
        inputs: Keys of the model's inputs, in the model's order.
        outputs: Keys of the model's outputs, in the model's order.
        readers: Tensor key -> the calls that read it.
        makers: Tensor key -> the call that makes it; model inputs have none.
        nested: The calls of nested models, whose layers' calls are among `calls`.
    """

    calls: tuple[Call, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    readers: dict[int, list[Call]] = field(repr=False, default_factory=dict)
    makers: dict[int, Call] = field(repr=False, default_factory=dict)
    nested: tuple[Call, ...] = field(repr=False, default=())

    def sole_reader(self, key):
        """Returns the only call that reads tensor `key`, or None if it is read elsewhere too."""
        readers = self.readers.get(key, [])
        if len(readers) != 1 or key in self.outputs:
            return None
        return readers[0]


def trace(model):
    """Returns the `Flow` of a built Functional or Sequential model.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.ReLU()])
    >>> [type(call.layer).__name__ for call in trace(model).calls]
    ['Dense', 'ReLU']
    """
    fresh = iter(range(1 << 62))
    inputs = tuple(next(fresh) for _ in model.inputs)
    calls: list[Call] = []
    nested: list[Call] = []
    outputs = _walk(model, inputs, fresh, calls, nested)
    readers = defaultdict(list)
    makers = {}
    for call in calls:
        for key in dict.fromkeys(call.inputs):
            readers[key].append(call)
        makers.update(dict.fromkeys(call.outputs, call))
    return Flow(tuple(calls), inputs, outputs, dict(readers), makers, tuple(nested))


def _walk(model, input_keys, fresh, calls, nested):
    """Appends the calls of `model` to `calls` and `nested`, and returns the keys of its outputs."""
    keys = dict(zip([id(tensor) for tensor in model.inputs], input_keys, strict=True))
    graph = model._functional if isinstance(model, keras.Sequential) else model
    keys.update(zip([id(tensor) for tensor in graph.inputs], input_keys, strict=True))
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if node.is_input:
                continue
            layer = node.operation
            reads = tuple(keys[id(tensor)] for tensor in node.input_tensors)
            shapes = tuple(tuple(tensor.shape) for tensor in node.input_tensors)
            if isinstance(layer, keras.Model) and hasattr(layer, "inputs"):
                makes = _walk(layer, reads, fresh, calls, nested)
                nested.append(Call(layer, reads, makes, shapes, node))
            else:
                makes = tuple(next(fresh) for _ in node.outputs)
                calls.append(Call(layer, reads, makes, shapes, node))
            keys.update(zip([id(tensor) for tensor in node.outputs], makes, strict=True))
    return tuple(keys[id(tensor)] for tensor in graph.outputs)
