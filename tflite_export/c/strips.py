"""The first operators of a network in strips of rows, so that their activations are never there as a whole.

A strip of the last of them needs some rows of the one before, that one more rows of its input, and so on
down to the network's input. Rows that two strips need are computed twice: memory is bought with work.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tflite_export.c.placement import ALIGNMENT
from tflite_export.c.tensor_types import element_bytes
from tflite_export.c.window import geometry
from tflite_export.graph import Graph, Op, Subgraph, Tensor

LONGEST = 8  # operators that are tried in strips
OPERATORS = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D")
ROWS, JOIN = "ROWS_OF", "JOIN_ROWS"  # what strips are taken with and put together with; no code is generated


@dataclass(frozen=True)
class StripOptions:
    """The options of an operator on a strip: its own, and how many rows and columns padding adds before."""

    options: Any
    explicit_pad: tuple[int, int]

    def __getattr__(self, name):
        return getattr(self.options, name)


@dataclass(frozen=True)
class RowOptions:
    """Where strips lie in the whole tensor, in bytes."""

    starts: tuple[int, ...]


def leading_chain(subgraph: Subgraph) -> tuple[Op, ...]:
    """Returns the operators at the start that can run in strips: each reads the one before, and only it does.

    Example:
    >>> from tflite_export.c.strips import leading_chain
    >>> from tflite_export.graph import Subgraph
    >>> leading_chain(Subgraph(0, "", (), (), (), ()))
    ()
    """
    chain: list[Op] = []
    if len(subgraph.inputs) != 1:
        return ()
    current = subgraph.inputs[0]
    for op in subgraph.ops:
        readers = sum(current in other.inputs for other in subgraph.ops)
        shape = subgraph.tensors[op.outputs[0]].shape if op.outputs else ()
        if op.code not in OPERATORS or op.inputs[0] != current or readers != 1 or len(shape) != 4:
            break
        if shape[0] != 1 or current in subgraph.outputs or len(subgraph.tensors[current].shape) != 4:
            break
        chain.append(op)
        current = op.outputs[0]
    return tuple(chain)


def strip_graphs(graph: Graph, count: int):
    """Yields what `in_strips` returns for each number of operators that can run in `count` strips.

    Example:
    >>> from tflite_export.c.strips import strip_graphs
    >>> from tflite_export.graph import Graph
    >>> list(strip_graphs(Graph(()), 1))
    []
    """
    if count == 1:
        return
    chain = leading_chain(graph.main)
    for length in range(2, min(len(chain), LONGEST) + 1):
        if graph.main.tensors[chain[length - 1].outputs[0]].shape[1] >= count:
            changed, repeated = in_strips(graph, length, count)
            rows = [op.options.starts for op in changed.main.ops if isinstance(op.options, RowOptions)]
            if not any(start % ALIGNMENT for starts in rows for start in starts):
                yield changed, repeated


def in_strips(graph: Graph, length: int, count: int) -> tuple[Graph, float]:
    """Returns the graph with its first operators in strips, and the share of their work that is done twice.

    Args:
        graph: What `read` returned.
        length: How many operators, at most as many as `leading_chain` has.
        count: How many strips, at most as many as the last of them has rows.
    """
    subgraph = graph.main
    chain = leading_chain(subgraph)[:length]
    tensors, ops = list(subgraph.tensors), []
    whole, last = subgraph.tensors[subgraph.inputs[0]], subgraph.tensors[chain[-1].outputs[0]]
    bounds = np.linspace(0, last.shape[1], count + 1).round().astype(int)
    first_rows, joined, work, given = [], [], 0, 0
    for start, end in itertools.pairwise(bounds):
        plan, rows = [], (int(start), int(end))
        for op in reversed(chain):
            plan.append((op, rows))
            rows = _needed(subgraph, op, rows)
        current = _strip(tensors, whole, rows)
        first_rows.append((current, rows[0]))
        above = rows[0]
        for op, (low, high) in reversed(plan):
            target = _strip(tensors, subgraph.tensors[op.outputs[0]], (low, high))
            pad = _pad(subgraph, op)
            stride = op.options.stride_h
            options = StripOptions(op.options, (max(0, pad[0] - low * stride + above), pad[1]))
            ops.append(replace(op, inputs=(current, *op.inputs[1:]), outputs=(target,), options=options))
            work += (high - low) * _cost(subgraph, op)
            current, above = target, low
        joined.append((current, int(start)))
    for op in chain:
        given += subgraph.tensors[op.outputs[0]].shape[1] * _cost(subgraph, op)
    taken = _rows_op(ROWS, whole, first_rows)
    put = _rows_op(JOIN, last, joined)
    rest = [op for op in subgraph.ops if op.index > chain[-1].index]
    changed = replace(subgraph, tensors=tuple(tensors), ops=(taken, *ops, put, *rest))
    return replace(graph, subgraphs=(changed, *graph.subgraphs[1:])), work / given - 1


def _cost(subgraph, op):
    """Multiplications, or comparisons, in one row of an operator's output."""
    _, _, width, channels = subgraph.tensors[op.outputs[0]].shape
    if op.code == "CONV_2D":
        return width * subgraph.tensors[op.inputs[1]].size
    if op.code == "DEPTHWISE_CONV_2D":
        return width * subgraph.tensors[op.inputs[1]].size
    return width * channels * op.options.filter_height * op.options.filter_width


def _extent(subgraph, op):
    """Rows that one output row of an operator needs."""
    if "POOL" in op.code:
        return op.options.filter_height
    return (subgraph.tensors[op.inputs[1]].shape[1] - 1) * op.options.dilation_h_factor + 1


def _pad(subgraph, op):
    """Rows above and columns to the left that padding adds to the whole input."""
    source, target = subgraph.tensors[op.inputs[0]], subgraph.tensors[op.outputs[0]]
    if "POOL" in op.code:
        size, dilation = (op.options.filter_height, op.options.filter_width), (1, 1)
    else:
        size = subgraph.tensors[op.inputs[1]].shape[1:3]
        dilation = op.options.dilation_h_factor, op.options.dilation_w_factor
    return geometry(source.shape, target.shape, op.options, size, dilation)


def _needed(subgraph, op, rows):
    """The rows of the input that rows of the output need."""
    stride, pad = op.options.stride_h, _pad(subgraph, op)[0]
    height = subgraph.tensors[op.inputs[0]].shape[1]
    return max(0, rows[0] * stride - pad), min(height, (rows[1] - 1) * stride - pad + _extent(subgraph, op))


def _strip(tensors, whole: Tensor, rows):
    """Adds the tensor of some rows of another and returns its index."""
    shape = (1, rows[1] - rows[0], *whole.shape[2:])
    tensors.append(replace(whole, index=len(tensors), shape=shape, shape_signature=shape))
    return len(tensors) - 1


def _rows_op(code, whole, strips):
    row = int(np.prod(whole.shape[2:])) * element_bytes(whole)
    options = RowOptions(tuple(start * row for _, start in strips))
    parts = tuple(tensor for tensor, _ in strips)
    if code == ROWS:
        return Op(-1, code, (whole.index,), parts, options)
    return Op(-1, code, parts, (whole.index,), options)
