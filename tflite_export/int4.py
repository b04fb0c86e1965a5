"""Weights of an int8 model rounded to 4 bits and stored two to a byte, where TFLM computes with them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tflite_export import schema
from tflite_export.errors import ModelError
from tflite_export.flatbuffer import Reader
from tflite_export.flatbuffer_write import write
from tflite_export.graph import Graph, Op
from tflite_export.read import read

# Operators whose TFLM kernels take 4-bit weights: the axis with a scale for each entry (TFLM refuses several
# for matrix products), and the version of the operator that the format asks for.
_PACKABLE = {"CONV_2D": (0, 7), "DEPTHWISE_CONV_2D": (3, 7), "FULLY_CONNECTED": (None, 10)}
_WITH_WEIGHTS = {*_PACKABLE, "BATCH_MATMUL", "SVDF", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
_WEIGHT, _BIAS = 1, 2
_END = 7  # symmetric: -8 stays unused, as -128 does with 8 bits
_TIES = 1 + 1e-3  # half a level of 8 bits, and what float32 adds where levels 3 of 6 fall between two
_CLIPS = np.arange(1.0, 0.49, -0.05)


def pack_weights(tflite: Any, *, only_exact: bool = False) -> tuple[bytes, list[str]]:
    """Returns an int8 model with 4-bit weights, and the operators whose weights stayed at 8 bits.

    Convolutions and depthwise convolutions get a scale for each output channel, matrix products one for all
    (TFLM takes no other): that with the smallest squared error, or the trained one where the weights lie on
    a grid of 4 bits already. Biases stay int32 and follow the new scales. Other operators keep their weights.

    Args:
        tflite: Bytes, path, conversion result or graph of an int8 model.
        only_exact: Whether only weights are packed that lie on a grid of 4 bits already.

    Raises:
        ModelError: If the file cannot be read.

    Example:
    >>> content, left = pack_weights("model.tflite")
    >>> len(content) < len(read("model.tflite").content), left
    (True, [])
    """
    graph = read(tflite)
    reader = Reader(graph.content)
    packing = _Packing(graph, reader.root(schema.ModelTable))
    if reader.unknown_slots:
        raise ModelError("the file holds parts that this version does not know and cannot write again.")
    left = []
    for op in graph.main.ops:
        if not _has_weights(graph, op):
            continue
        if packing.accepts(op):
            packing.pack(op, only_exact)
        elif not only_exact:
            left.append(f"{op.code} (operator {op.index})")
    return write(packing.result(), schema.IDENTIFIER), left


def round_to_4_bits(values: np.ndarray, known_to: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Returns integers from -7 to 7 and one step for each row.

    Args:
        values: Real weights with one row for each scale.
        known_to: How far the values may be off for having been rounded before, shaped so that it
            broadcasts. Rows that lie on a grid of 4 bits but for that keep this grid.

    Example:
    >>> q, step = round_to_4_bits(np.array([[-1.27, 0.36, 0.91]]), 0.005)
    >>> q.tolist(), round(float(step[0]), 3)
    ([[-7, 2, 5]], 0.181)
    """
    rows = np.asarray(values, np.float64)
    largest = np.abs(rows).max(axis=1, initial=0)
    full = np.where(largest > 0, largest, 1.0) / _END
    best, lowest = full.copy(), np.full(len(rows), np.inf)
    for clip in _CLIPS:
        step = (full * clip)[:, None]
        error = np.square(np.clip(np.round(rows / step), -_END, _END) * step - rows).sum(axis=1)
        best = np.where(error < lowest, step[:, 0], best)
        lowest = np.minimum(error, lowest)
    grid = find_grid(rows, known_to)
    best = np.where(np.isnan(grid), best, grid)
    return np.clip(np.round(rows / best[:, None]), -_END, _END).astype(np.int8), best


def find_grid(rows: np.ndarray, known_to: np.ndarray | float) -> np.ndarray:
    """Returns the smallest step of a grid of 4 bits on which each row lies, NaN where there is none.

    The largest weight of a row need not lie on the grid's end.

    Args:
        rows: Real weights with one row for each scale.
        known_to: How far the values may be off, shaped so that it broadcasts.

    Example:
    >>> find_grid(np.array([[0.5, -0.3, 0.1], [0.5, -0.3, 0.17]]), 0.001).round(6).tolist()
    [0.1, nan]
    """
    largest = np.abs(rows).max(axis=1, initial=0)
    found = np.full(len(rows), np.nan)
    for end in range(1, _END + 1):
        step = np.where(largest > 0, largest, 1.0) / end
        off = np.abs(np.round(rows / step[:, None]) * step[:, None] - rows)
        found = np.where((off <= np.multiply(known_to, _TIES)).all(axis=1), step, found)
    return found


class _Packing:
    """The tables of a model whose weights are being replaced."""

    def __init__(self, graph: Graph, model: schema.ModelTable):
        self.graph = graph
        self.model = model
        self.tensors = list(model.subgraphs[0].tensors)
        self.buffers = list(model.buffers)
        self.versions: dict[int, int] = {}
        self.uses: dict[int, set[tuple[str, int, int]]] = {}
        for op in graph.main.ops:
            for slot, index in enumerate(op.inputs):
                weight = op.inputs[_WEIGHT] if len(op.inputs) > _WEIGHT else -1
                self.uses.setdefault(index, set()).add((op.code, slot, weight))

    def accepts(self, op: Op) -> bool:
        """Says whether the operator runs with 4-bit weights and nobody else reads its constants."""
        if op.code not in _PACKABLE:
            return False
        main = self.graph.main
        index, bias = op.inputs[_WEIGHT], op.inputs[_BIAS] if len(op.inputs) > _BIAS else -1
        weight = main.tensors[index]
        return (
            main.tensors[op.inputs[0]].dtype == "int8"
            and main.tensors[op.inputs[0]].quantization is not None
            and weight.quantization is not None
            and weight.dtype in ("int8", "int4")
            and self.uses[index] == {(op.code, _WEIGHT, index)}
            and (bias < 0 or self.uses[bias] == {(op.code, _BIAS, index)})
            and (bias < 0 or (main.tensors[bias].dtype == "int32" and main.tensors[bias].is_constant))
            and not {index, bias} & {*main.inputs, *main.outputs}
        )

    def pack(self, op: Op, only_exact: bool) -> None:
        """Replaces the weights and the bias of an operator that was accepted."""
        axis, version = _PACKABLE[op.code]
        index = op.inputs[_WEIGHT]
        rows = self._rows(index, axis) if self.graph.main.tensors[index].dtype == "int8" else None
        if rows and only_exact and np.isnan(find_grid(*rows)).any():
            return
        code = self.model.subgraphs[0].operators[op.index].opcode_index
        self.versions[code] = max(self.versions.get(code, 0), version)
        if rows:
            new, growth = self._pack_weight(index, axis, *rows)
            if len(op.inputs) > _BIAS and op.inputs[_BIAS] >= 0:
                source = self.graph.main.tensors[op.inputs[0]].quantization
                self._follow(op.inputs[_BIAS], new * (source.scale[0] if source else 1), growth)

    def result(self) -> schema.ModelTable:
        """The model with what nobody refers to any more emptied."""
        codes = tuple(
            dataclasses.replace(code, version=max(code.version, self.versions.get(i, 0)))
            for i, code in enumerate(self.model.operator_codes)
        )
        graphs = (
            dataclasses.replace(self.model.subgraphs[0], tensors=tuple(self.tensors)),
            *self.model.subgraphs[1:],
        )
        used = {tensor.buffer for graph in graphs for tensor in graph.tensors}
        used |= {row.buffer for row in self.model.metadata} | set(self.model.metadata_buffer)
        nothing = schema.BufferTable(np.zeros(0, np.uint8))
        buffers = tuple(buffer if i in used else nothing for i, buffer in enumerate(self.buffers))
        return dataclasses.replace(self.model, operator_codes=codes, subgraphs=graphs, buffers=buffers)

    def _rows(self, index, axis):
        """Returns the real weights with one row for each scale, and how exactly 8 bits know them."""
        weight = self.graph.main.tensors[index]
        scale = np.asarray(weight.quantization.scale, np.float64)
        columns = [1] * weight.data.ndim
        columns[weight.quantization.axis] = scale.size
        steps = np.broadcast_to(scale.reshape(columns), weight.data.shape)
        first, count = (0, 1) if axis is None else (axis, weight.shape[axis])
        by_channel = (np.moveaxis(values, first, 0) for values in (weight.data * steps, steps / 2))
        return tuple(values.reshape(count, -1) for values in by_channel)

    def _pack_weight(self, index, axis, rows, noise):
        """Replaces a weight; returns its steps and by how much that of each channel grew."""
        weight = self.graph.main.tensors[index]
        values, new = round_to_4_bits(rows, noise)
        first = 0 if axis is None else axis
        shape = np.moveaxis(weight.data, first, 0).shape
        values = np.moveaxis(values.reshape(shape), 0, first).reshape(-1)
        pairs = (np.append(values, np.zeros(values.size % 2, np.int8)) & 15).astype(np.uint8).reshape(-1, 2)
        self._replace(index, pairs[:, 0] | pairs[:, 1] << 4, new, first, type="int4")
        return new, new / np.asarray(weight.quantization.scale, np.float64)

    def _follow(self, index, scale, growth):
        """Gives a bias the scale of its sums. Kernels add it as it is, whatever scale it had on paper."""
        bias = self.graph.main.tensors[index]
        values = np.round(bias.data.reshape(-1) / growth).astype("<i4")
        self._replace(index, values.view(np.uint8), None if bias.quantization is None else scale, 0)

    def _replace(self, index, content, scale, axis, **changes):
        table = self.tensors[index]
        if scale is not None:
            nothing = np.zeros(0, np.float32)
            changes["quantization"] = dataclasses.replace(
                table.quantization,
                min=nothing,
                max=nothing,
                scale=scale.astype(np.float32),
                zero_point=np.zeros(scale.size, np.int64),
                quantized_dimension=axis,
            )
        self.tensors[index] = dataclasses.replace(table, buffer=len(self.buffers), **changes)
        self.buffers.append(schema.BufferTable(content))


def _has_weights(graph: Graph, op: Op) -> bool:
    """Says whether an operator computes with a constant matrix of 8 or 4 bits."""
    constants = [graph.main.tensors[i] for i in op.inputs if i >= 0 and graph.main.tensors[i].is_constant]
    if op.code not in _WITH_WEIGHTS:
        return False
    return any(t.dtype in ("int8", "int4") and len(t.shape) > 1 for t in constants)
