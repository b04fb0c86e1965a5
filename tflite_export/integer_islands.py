"""Operators that a converted model computes in float between integers, where TFLM has an integer kernel."""

from __future__ import annotations

import dataclasses
from typing import Any

from tflite_export import schema
from tflite_export.flatbuffer import Reader
from tflite_export.flatbuffer_write import write
from tflite_export.read import read

# The converter knows no quantized form of these.
_WITH_INTEGER_KERNEL = ("ELU",)


def close_islands(tflite: Any) -> bytes:
    """Returns a model in which DEQUANTIZE, operator, QUANTIZE are the operator alone, on int8.

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
    readers: dict[int, list] = {}
    for op in main.ops:
        for index in op.inputs:
            readers.setdefault(index, []).append(op)
    moved = {}
    gone = set()
    for op in main.ops:
        before = makers.get(op.inputs[0]) if op.code in _WITH_INTEGER_KERNEL else None
        behind = readers.get(op.outputs[0], [])
        if before is None or before.code != "DEQUANTIZE" or [r.code for r in behind] != ["QUANTIZE"]:
            continue
        ends = main.tensors[before.inputs[0]], main.tensors[behind[0].outputs[0]]
        if op.outputs[0] in main.outputs or {end.dtype for end in ends} != {"int8"}:
            continue
        moved[op.index] = (before.inputs[0], behind[0].outputs[0])
        gone.add(behind[0].index)
    if not moved:
        return graph.content
    still_read = {index for op in main.ops if op.index not in moved for index in op.inputs}
    still_read |= set(main.outputs)
    gone |= {op.index for op in main.ops if op.code == "DEQUANTIZE" and op.outputs[0] not in still_read}
    model = Reader(graph.content).root(schema.ModelTable)
    return write(_without(model, moved, gone), schema.IDENTIFIER)


def _without(model, moved, gone):
    """Returns the model's table without some operators and without the tensors that nobody refers to then."""
    main = model.subgraphs[0]
    operators = [
        dataclasses.replace(op, inputs=moved[i][:1], outputs=moved[i][1:]) if i in moved else op
        for i, op in enumerate(main.operators)
        if i not in gone
    ]
    used = {*main.inputs, *main.outputs}
    used |= {int(index) for op in operators for index in (*op.inputs, *op.outputs, *op.intermediates)}
    kept = [i for i in range(len(main.tensors)) if i in used]
    new = {old: position for position, old in enumerate(kept)} | {-1: -1}

    def renumbered(indices):
        return tuple(new[int(index)] for index in indices)

    main = dataclasses.replace(
        main,
        tensors=tuple(main.tensors[i] for i in kept),
        inputs=renumbered(main.inputs),
        outputs=renumbered(main.outputs),
        operators=tuple(
            dataclasses.replace(
                op,
                inputs=renumbered(op.inputs),
                outputs=renumbered(op.outputs),
                intermediates=renumbered(op.intermediates),
            )
            for op in operators
        ),
    )
    return dataclasses.replace(model, subgraphs=(main, *model.subgraphs[1:]))
