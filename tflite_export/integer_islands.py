"""Operators that a converted model computes in float between integers, where TFLM has an integer kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tflite_export import schema
from tflite_export.flatbuffer import Reader
from tflite_export.flatbuffer_write import write
from tflite_export.graph import Op
from tflite_export.read import read

# The converter knows no quantized form of these.
_WITH_INTEGER_KERNEL = ("ELU",)
# Some of what is behind these comes into the float part with them: what only picks values.
_PICKING = (
    "CONCATENATION",
    "EXPAND_DIMS",
    "MAXIMUM",
    "MAX_POOL_2D",
    "MINIMUM",
    "PAD",
    "RESHAPE",
    "SLICE",
    "SQUEEZE",
    "STRIDED_SLICE",
    "TRANSPOSE",
)


@dataclass(frozen=True)
class _Island:
    """Operators on floats between DEQUANTIZE and QUANTIZE.

    Attributes:
        ops: Index -> the operator.
        sources: Index of a tensor that a DEQUANTIZE makes -> that of its integers.
        end: The QUANTIZE.
    """

    ops: dict[int, Op]
    sources: dict[int, int]
    end: Op

    @property
    def inner(self):
        """Indices of the tensors that these make, but for the last."""
        made = {index for op in self.ops.values() for index in op.outputs}
        return made - {self.end.inputs[0]}

    def connections(self, op):
        """Returns inputs and outputs of an operator once it computes on integers."""
        last = {self.end.inputs[0]: self.end.outputs[0]}
        return (
            tuple(self.sources.get(index, index) for index in op.inputs),
            tuple(last.get(index, index) for index in op.outputs),
        )


def close_islands(tflite: Any) -> bytes:
    """Returns a model in which DEQUANTIZE, operator, QUANTIZE are the operator alone, on int8.

    Operators that pick values, such as RESHAPE, may follow before the QUANTIZE; its scale is that of all.

    Args:
        tflite: Bytes, path, conversion result or graph of a model as the converter leaves it.

    Raises:
        ModelError: If the file cannot be read.

    Example:
    >>> close_islands("model.tflite") == read("model.tflite").content  # it has none
    True
    """
    graph = read(tflite)
    main = graph.main
    makers = {index: op for op in main.ops for index in op.outputs}
    candidates = [_island(main, makers, op) for op in main.ops if op.code == "QUANTIZE"]
    islands = [island for island in candidates if island is not None]
    if not islands:
        return graph.content
    moved = {i: island.connections(op) for island in islands for i, op in island.ops.items()}
    still_read = {index for op in main.ops if op.index not in moved for index in op.inputs}
    still_read |= set(main.outputs)
    gone = {island.end.index for island in islands}
    gone |= {op.index for op in main.ops if op.code == "DEQUANTIZE" and op.outputs[0] not in still_read}
    like = {index: island.end.outputs[0] for island in islands for index in island.inner}
    model = Reader(graph.content).root(schema.ModelTable)
    return write(_without(_on_integers(model, like), moved, gone), schema.IDENTIFIER)


def _island(main, makers, end):
    """Returns the island that ends in a QUANTIZE, None if there is none that integers could compute."""
    target = main.tensors[end.outputs[0]]
    ops, sources, pending = {}, {}, [end.inputs[0]]
    while pending:
        maker = makers.get(index := pending.pop())
        if maker is None or index in main.outputs or target.dtype != "int8":
            return None
        if maker.code == "DEQUANTIZE":
            sources[index] = maker.inputs[0]
        elif maker.code not in (*_WITH_INTEGER_KERNEL, *_PICKING):
            return None
        elif maker.index not in ops:
            ops[maker.index] = maker
            pending += [i for i in maker.inputs if i >= 0 and main.tensors[i].dtype == "float32"]
    made = {index for op in ops.values() for index in op.outputs}
    read_outside = {i for op in main.ops if op.index not in {*ops, end.index} for i in op.inputs}
    is_one = any(op.code in _WITH_INTEGER_KERNEL for op in ops.values()) and not made & read_outside
    # What these pick from must have the scale of what they give.
    picked = {i for op in ops.values() if op.code in _PICKING for i in op.inputs} & set(sources)
    is_int8 = all(main.tensors[i].dtype == "int8" for i in sources.values())
    is_same = all(_same_grid(main.tensors[sources[i]], target) for i in picked)
    return _Island(ops, sources, end) if is_one and is_int8 and is_same else None


def _same_grid(a, b) -> bool:
    p, q = a.quantization, b.quantization
    return np.array_equal(p.scale, q.scale) and np.array_equal(p.zero_point, q.zero_point)


def _on_integers(model, like):
    """Returns the model's table with some tensors of the type and the scale of others."""
    main = model.subgraphs[0]
    tensors = list(main.tensors)
    for index, other in like.items():
        source = tensors[other]
        tensors[index] = replace(tensors[index], type=source.type, quantization=source.quantization)
    return replace(model, subgraphs=(replace(main, tensors=tuple(tensors)), *model.subgraphs[1:]))


def _without(model, moved, gone):
    """Returns the model's table without some operators and without the tensors that nobody refers to then."""
    main = model.subgraphs[0]
    operators = [
        replace(op, inputs=moved[i][0], outputs=moved[i][1]) if i in moved else op
        for i, op in enumerate(main.operators)
        if i not in gone
    ]
    used = {*main.inputs, *main.outputs}
    used |= {int(index) for op in operators for index in (*op.inputs, *op.outputs, *op.intermediates)}
    kept = [i for i in range(len(main.tensors)) if i in used]
    new = {old: position for position, old in enumerate(kept)} | {-1: -1}

    def renumbered(indices):
        return tuple(new[int(index)] for index in indices)

    main = replace(
        main,
        tensors=tuple(main.tensors[i] for i in kept),
        inputs=renumbered(main.inputs),
        outputs=renumbered(main.outputs),
        operators=tuple(
            replace(
                op,
                inputs=renumbered(op.inputs),
                outputs=renumbered(op.outputs),
                intermediates=renumbered(op.intermediates),
            )
            for op in operators
        ),
    )
    return replace(model, subgraphs=(main, *model.subgraphs[1:]))
