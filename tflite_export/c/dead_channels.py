"""Channels whose value no input can change: found by interval arithmetic, then taken out of the graph.

Training leaves such channels behind where a batch normalization drives a scale to zero: weights that round
to nothing beside a large bias. Their constant folds into the biases of the operators that read them, so the
outputs stay the same, bit for bit, for every input.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from tflite_export.c.emit import Node, UnsupportedError, quantization
from tflite_export.c.pairs import accumulator_range
from tflite_export.c.requant import channel_multipliers, output_range
from tflite_export.fixed_point import INT32_MAX, Multiplier, requantize
from tflite_export.graph import Graph

MULTIPLE = 4  # channels left are a multiple of it, which the kernels read fastest
_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_SAME_VALUES = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "RESHAPE")
_PASS_ON = ("DEPTHWISE_CONV_2D", *_SAME_VALUES)  # output channels are input channels


def drop_dead_channels(graph: Graph) -> Graph:
    """Returns the graph without the channels that are the same for every input.

    Only activations between convolutions, pools and matrix products lose channels; inputs and outputs of the
    model never do. A graph without such channels is returned as it is.

    Args:
        graph: What `read` returned.

    Example:
    >>> from tflite_export.c.dead_channels import drop_dead_channels
    >>> from tflite_export.read import read
    >>> len(drop_dead_channels(read("model.tflite")).main.ops)
    4
    """
    search = _Search(graph)
    keep = search.kept_channels()
    if not keep:
        return graph
    return replace(graph, subgraphs=(_without(graph.main, keep, search.values), *graph.subgraphs[1:]))


@dataclass(frozen=True)
class _Values:
    """Value of each channel of a tensor, and whether it is the same for every input."""

    constant: np.ndarray
    value: np.ndarray


class _Search:
    """Which channels are constant, forwards, and which of them every reader can do without, backwards."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.subgraph = subgraph = graph.main
        self.constants = {t.index: t.data for t in subgraph.tensors if t.data is not None}
        self.uses = Counter(i for op in subgraph.ops for i in op.inputs if i >= 0)
        self.readers: dict[int, list] = {}
        for op in subgraph.ops:
            for index in op.inputs:
                self.readers.setdefault(index, []).append(op)
        self.values: dict[int, _Values] = {}
        for op in subgraph.ops:
            found = self._outcome(op)
            if found is not None:
                self.values[op.outputs[0]] = found

    def kept_channels(self):
        """Returns tensor -> indices of the channels to keep, for the tensors that lose some."""
        removable: dict[int, np.ndarray] = {}
        for op in reversed(self.subgraph.ops):
            index = op.outputs[0] if op.outputs else -1
            if index in self.values and index not in self.subgraph.outputs:
                removable[index] = self._removable(index, removable)
        return self._rounded(removable)

    def _removable(self, index, removable):
        """Channels of a tensor that every reader can do without."""
        tensor, known = self.subgraph.tensors[index], self.values[index]
        readers = self.readers.get(index, ())
        result = np.full(known.constant.shape, bool(readers))
        for op in readers:
            if op.code in _PASS_ON and op.outputs[0] in removable:
                result &= removable[op.outputs[0]]
            elif op.code in ("CONV_2D", "FULLY_CONNECTED") and op.inputs[0] == index and self._plain(op):
                result &= known.constant
                if op.code == "CONV_2D":
                    result &= self._reaches_whole_window(op, tensor, known.value)
            else:
                return np.zeros_like(result)
        return result

    def _rounded(self, removable):
        """Keeps a multiple of channels; tensors that pass channels on decide together."""
        groups: dict[int, list] = {}
        for index in removable:
            root = index
            while root in removable and self._producer(root).code in _PASS_ON:
                root = self._producer(root).inputs[0]
            if root in removable:
                groups.setdefault(root, []).append(index)
        keep = {}
        for members in groups.values():
            common = np.logical_and.reduce([removable[m] for m in members])
            alive = np.flatnonzero(~common)
            dead = np.flatnonzero(common)
            alive = np.sort(np.append(alive, dead[: max(-len(alive) % MULTIPLE, MULTIPLE - len(alive))]))
            if len(alive) < len(common):
                keep.update(dict.fromkeys(members, alive))
        return keep

    def _producer(self, index):
        return next(op for op in self.subgraph.ops if index in op.outputs)

    def _plain(self, op):
        """Whether weights and bias are int8 and int32 and this operator's alone, and one filter a channel."""
        tensors = self.subgraph.tensors
        own = all(self.uses[i] == 1 and i in self.constants for i in op.inputs[1:] if i >= 0)
        if len(op.inputs) < 3 or op.inputs[2] < 0 or not own:
            return False
        source, weights, bias, target = (tensors[i] for i in (*op.inputs[:3], op.outputs[0]))
        if (source.dtype, bias.dtype, target.dtype) != ("int8", "int32", "int8") or weights.dtype != "int8":
            return False
        if op.code == "DEPTHWISE_CONV_2D":
            return weights.shape[3] == source.shape[-1]
        return weights.shape[-1] == source.shape[-1]

    def _reaches_whole_window(self, op, tensor, value):
        """Channels that count the same under every tap, padding included."""
        node = self._node(op)
        target = node.output().shape
        filter_size = node.input(1).shape[1:3]
        padded = node.options.padding == "SAME" and (
            filter_size != (1, 1) or target[1:3] != tensor.shape[1:3]
        )
        return value == quantization(tensor)[1] if padded else np.ones(value.shape, bool)

    def _node(self, op):
        return Node(op, self.graph, self.constants, {}, {})

    def _outcome(self, op):
        """What is known of an operator's output, None where nothing is."""
        known = self.values.get(op.inputs[0]) if op.inputs else None
        if op.code in _KERNELS and self._plain(op):
            try:
                return self._kernel_outcome(op, known)
            except UnsupportedError:
                return None
        if op.code in _SAME_VALUES and known is not None:
            return self._passed_on(op, known)
        return None

    def _passed_on(self, op, known):
        source, target = (self.subgraph.tensors[i] for i in (op.inputs[0], op.outputs[0]))
        if target.shape[-1] != source.shape[-1]:
            return None
        if op.code == "RESHAPE":
            return known
        limits = output_range(self._node(op))
        return _Values(known.constant, np.clip(known.value, limits["output_min"], limits["output_max"]))

    def _kernel_outcome(self, op, known):
        node = self._node(op)
        low, high = _sums(op, node, known, self._reaches_whole_window if known is not None else None)
        limits = output_range(node)
        multipliers = channel_multipliers(node.input(0), node.input(1), node.output(), len(low))
        ends = np.array(
            [
                [requantize(int(v), Multiplier(int(m), int(s))) for v in pair] if s <= 0 else [0, 1]
                for pair, m, s in zip(zip(low, high, strict=True), *multipliers, strict=True)
            ]
        )
        ends = np.clip(ends + limits["output_zero_point"], limits["output_min"], limits["output_max"])
        return _Values(ends[:, 0] == ends[:, 1], ends[:, 0])


def _sums(op, node, known, whole):
    """The least and the greatest sum of each output channel."""
    weights = np.asarray(node.constant(1), np.int64)
    zero_point = quantization(node.input(0))[1]
    if op.code == "DEPTHWISE_CONV_2D":
        by_channel = np.moveaxis(weights[0], -1, 0)[..., None]
    else:
        by_channel = weights.reshape(len(weights), -1, weights.shape[-1])[:, :, None]
    flat = by_channel.reshape(len(by_channel), -1)
    bias = np.asarray(node.constant(2), np.int64) - zero_point * flat.sum(1)
    if np.any(np.abs(bias) + 256 * np.abs(flat).sum(1) > INT32_MAX):
        raise UnsupportedError("its accumulator could leave 32 bits")
    if known is None or not known.constant.any():
        return accumulator_range(flat, bias)
    folds = known.constant & (True if op.code == "FULLY_CONNECTED" else whole(op, node.input(0), known.value))
    if op.code == "DEPTHWISE_CONV_2D":
        low, high = accumulator_range(flat, bias)
        exact = bias + known.value * flat.sum(1)
        return np.where(folds, exact, low), np.where(folds, exact, high)
    taps = weights.reshape(len(weights), -1, weights.shape[-1])
    fixed = (taps * np.where(folds, known.value, 0)).sum((1, 2))
    return accumulator_range((taps * ~folds).reshape(len(taps), -1), bias + fixed)


def _without(subgraph, keep, values):
    """The subgraph with the channels of `keep` only, what the others added folded into biases."""
    tensors = list(subgraph.tensors)
    for index, kept in keep.items():
        tensors[index] = _cut(tensors[index], kept, len(tensors[index].shape) - 1)
    for op in subgraph.ops:
        if op.code not in _KERNELS:
            continue
        source, target = op.inputs[0], op.outputs[0]
        if source in keep and op.code != "DEPTHWISE_CONV_2D":
            weights, bias = (tensors[i] for i in op.inputs[1:3])
            dead = np.ones(weights.shape[-1], bool)
            dead[keep[source]] = False
            taps = np.asarray(weights.data, np.int64).reshape(len(weights.data), -1, weights.shape[-1])
            zero_point = quantization(tensors[source])[1]
            added = ((values[source].value - zero_point) * dead * taps).sum((1, 2))
            tensors[bias.index] = replace(bias, data=(bias.data + added).astype(np.int32))
            tensors[weights.index] = _cut(weights, keep[source], len(weights.shape) - 1)
        if target in keep:
            weights, bias = (tensors[i] for i in op.inputs[1:3])
            axis = 3 if op.code == "DEPTHWISE_CONV_2D" else 0
            tensors[weights.index] = _cut(weights, keep[target], axis)
            tensors[bias.index] = _cut(bias, keep[target], 0)
    return replace(subgraph, tensors=tuple(tensors))


def _cut(tensor, kept, axis):
    """The tensor with some of its indices along an axis, scales included."""
    shape = (*tensor.shape[:axis], len(kept), *tensor.shape[axis + 1 :])
    data = None if tensor.data is None else np.take(tensor.data, kept, axis)
    q = tensor.quantization
    if q is not None and q.per_channel and q.axis == axis:
        q = replace(q, scale=q.scale[kept], zero_point=q.zero_point[kept])
    return replace(tensor, shape=shape, shape_signature=shape, data=data, quantization=q)
