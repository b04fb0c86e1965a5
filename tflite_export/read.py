"""A `.tflite` file, from this project or from anywhere, as a checked `Graph`."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

from tflite_export import schema, tensor_data
from tflite_export.errors import ModelError
from tflite_export.flatbuffer import Empty, Reader
from tflite_export.graph import Graph, Op, Signature, Subgraph, Tensor
from tflite_export.options import NUMBER_BY_OPERATOR, OPTIONS_BY_NUMBER
from tflite_export.wiring import check_wiring

_POSITIVE = (
    "stride_w",
    "stride_h",
    "stride_d",
    "dilation_w_factor",
    "dilation_h_factor",
    "dilation_d_factor",
    "filter_width",
    "filter_height",
    "block_size",
)


def read(tflite: Any) -> Graph:
    """Returns the graph in a `.tflite` file.

    The file may be damaged or hostile: every offset, index, size and enumeration is checked, and what does
    not hold is refused with its reason. Constants share the memory of the file's bytes.

    Args:
        tflite: The file's bytes, its path, what `convert` returned (anything with `.bytes` or `.content`
            that are bytes), or a `Graph`, which is returned as it is.

    Returns:
        The graph, with the bytes it was read from in `content`.

    Raises:
        ModelError: If the file is not a `.tflite`, is truncated or damaged, or contradicts itself.
        OSError: If there is no such file or it cannot be read.

    Example:
    >>> from tflite_export.read import read
    >>> read(b"not a model")
    Traceback (most recent call last):
        ...
    tflite_export.errors.ModelError: not a .tflite file: it is 11 bytes long and too short for a header.
    """
    if isinstance(tflite, Graph):
        return tflite
    content = file_bytes(tflite)
    if len(content) < 16:
        raise ModelError(f"not a .tflite file: it is {len(content)} bytes long and too short for a header.")
    if content[4:8] != schema.IDENTIFIER:
        raise ModelError(
            f"not a .tflite file: bytes 4 to 8 must be {schema.IDENTIFIER!r}. Received: {content[4:8]!r}. "
            "A Keras model has to be converted first."
        )
    try:
        graph = _graph(Reader(content).root(schema.ModelTable), content)
    except (struct.error, OverflowError, MemoryError) as error:
        raise ModelError(f"the file is damaged: {error}.") from error
    check_wiring(graph)
    return graph


def file_bytes(tflite: Any) -> bytes:
    """Returns the bytes of a model given as bytes, path, conversion result or graph."""
    if isinstance(tflite, bytes):
        return tflite
    if isinstance(tflite, bytearray | memoryview):
        return bytes(tflite)
    if isinstance(tflite, str | os.PathLike):
        return Path(tflite).read_bytes()
    for name in ("bytes", "content"):
        value = getattr(tflite, name, None)
        if isinstance(value, bytes):
            return value
    raise TypeError(
        "tflite must be bytes, a path or the result of convert. "
        f"Received: tflite={tflite!r} of type {type(tflite).__name__}."
    )


def _graph(model, content):
    if model.version != schema.VERSION:
        raise ModelError(
            f"schema version {model.version} is not supported, only {schema.VERSION}. Convert it again."
        )
    if not model.subgraphs:
        raise ModelError("the file holds no subgraph, so there is nothing to run.")
    _check_effort(model, len(content))
    codes = [_operator_code(code) for code in model.operator_codes]
    buffers = [_buffer(buffer, index, content) for index, buffer in enumerate(model.buffers)]
    subgraphs = tuple(
        _subgraph(table, index, codes, buffers, content) for index, table in enumerate(model.subgraphs)
    )
    return Graph(
        subgraphs=subgraphs,
        signatures=tuple(_signature(table, subgraphs) for table in model.signature_defs),
        metadata=dict(_metadata(row, buffers) for row in model.metadata),
        description=_text(model.description),
        content=content,
    )


def _check_effort(model, size):
    """Refuses a file whose tables point to the same long vectors so often that reading it would take ages."""
    effort = 0
    for subgraph in model.subgraphs:
        for op in subgraph.operators:
            effort += (
                64 * (8 + len(op.inputs) + len(op.outputs) + len(op.intermediates)) + op.custom_options.size
            )
        for tensor in subgraph.tensors:
            effort += 256 + len(tensor.name)
            if tensor.quantization is not None:
                effort += 16 * tensor.quantization.scale.size
            if tensor.type in ("int4", "uint4", "int2", "string") and tensor.buffer < len(model.buffers):
                effort += 4 * model.buffers[tensor.buffer].data.size
        if effort > 64 * size + (1 << 24):
            break
    for signature in model.signature_defs:
        effort += 64 * (len(signature.inputs) + len(signature.outputs))
    effort += sum(
        model.buffers[row.buffer].data.size for row in model.metadata if row.buffer < len(model.buffers)
    )
    if effort > 64 * size + (1 << 24):
        raise ModelError(
            f"the file refers to the same data so often that {size} bytes would become far larger in memory; "
            "it is damaged or was made to exhaust it."
        )


def _text(raw):
    return raw.decode("utf-8", "replace")


def _operator_code(table):
    # Files from before 2020 have only the one-byte slot, newer ones set it to a placeholder at most.
    number = max(schema.OPERATORS.index(table.builtin_code), table.deprecated_builtin_code)
    if not 0 <= number < len(schema.OPERATORS):
        raise ModelError(f"unknown operator. Received: number {number}.")
    return schema.OPERATORS[number], _text(table.custom_code), table.version


def _buffer(table, index, content):
    """Returns where the bytes of a buffer are, as a memory view."""
    if table.offset > 1:
        if table.offset + table.size > len(content):
            raise ModelError(
                f"the file is truncated: buffer {index} lies at bytes {table.offset} to "
                f"{table.offset + table.size}, but the file ends at byte {len(content)}."
            )
        return memoryview(content)[table.offset : table.offset + table.size]
    return memoryview(table.data)


def _metadata(row, buffers):
    if row.buffer >= len(buffers):
        raise ModelError(
            f"metadata {_text(row.name)!r} is in buffer {row.buffer}, but there are only {len(buffers)}."
        )
    return _text(row.name), bytes(buffers[row.buffer])


def _subgraph(table, index, codes, buffers, content):
    tensors = tuple(_tensor(row, i, index, buffers) for i, row in enumerate(table.tensors))
    ops = tuple(_op(row, i, codes, content) for i, row in enumerate(table.operators))
    return Subgraph(index, _text(table.name), tensors, ops, table.inputs, table.outputs)


def _tensor(table, index, subgraph, buffers):
    name = _text(table.name)
    where = f"tensor {index} ({name!r}) of subgraph {subgraph}"
    if table.buffer >= len(buffers) and (table.buffer or buffers):
        raise ModelError(f"{where} is in buffer {table.buffer}, but there are only {len(buffers)}.")
    if table.external_buffer:
        raise ModelError(
            f"{where} keeps its values in another file, which cannot be read. Embed the weights."
        )
    size = tensor_data.check_shape(table.shape, where)
    if table.shape_signature and len(table.shape_signature) != len(table.shape):
        raise ModelError(
            f"{where} has shape {table.shape} but shape signature {table.shape_signature}: ranks differ."
        )
    stored = buffers[table.buffer] if buffers else memoryview(b"")
    constant = len(stored) > 0 or size == 0
    data = None
    if constant and table.sparsity is None:
        data = tensor_data.decode(stored, table.type, table.shape, where)
    elif constant:
        data = tensor_data.stored_values(stored, table.type)
    return Tensor(
        index=index,
        name=name,
        shape=table.shape,
        dtype=table.type,
        quantization=tensor_data.quantization(table, where),
        data=data,
        buffer_bytes=len(stored),
        is_variable=table.is_variable,
        shape_signature=table.shape_signature or table.shape,
        sparse=table.sparsity is not None,
        buffer=table.buffer,
    )


def _op(table, index, codes, content):
    if table.opcode_index >= len(codes):
        raise ModelError(
            f"operator {index} has code number {table.opcode_index}, but there are only {len(codes)}."
        )
    code, custom_code, version = codes[table.opcode_index]
    return Op(
        index=index,
        code=code,
        inputs=table.inputs,
        outputs=table.outputs,
        options=_options(table, code, index),
        custom_code=custom_code if code == "CUSTOM" else "",
        version=version,
        intermediates=table.intermediates,
        custom_options=_custom_options(table, index, content),
    )


def _custom_options(table, index, content):
    start, size = table.large_custom_options_offset, table.large_custom_options_size
    if start > 1:
        if start + size > len(content):
            raise ModelError(f"the file is truncated: options of operator {index} lie beyond its end.")
        return bytes(content[start : start + size])
    return table.custom_options.tobytes()


def _options(table, code, index):
    expected = NUMBER_BY_OPERATOR.get(code)
    chosen = table.builtin_options
    if chosen.type and expected is not None and chosen.type != expected:
        raise ModelError(
            f"operator {index} is {code} but carries the options of another operator. "
            f"Received: options number {chosen.type}, {code} has {expected}."
        )
    layout = OPTIONS_BY_NUMBER.get(expected)
    if layout is None or layout is Empty:
        return None
    options = layout() if chosen.table is None else chosen.table
    for name in _POSITIVE:
        if chosen.table is not None and getattr(options, name, 1) < 1:
            raise ModelError(
                f"operator {index} ({code}) needs {name} of at least 1. "
                f"Received: {name}={getattr(options, name)}."
            )
    return options


def _signature(table, subgraphs):
    key = _text(table.signature_key)
    if table.subgraph_index >= len(subgraphs):
        raise ModelError(
            f"signature {key!r} names subgraph {table.subgraph_index}, but there are only {len(subgraphs)}."
        )
    count = len(subgraphs[table.subgraph_index].tensors)
    for row in (*table.inputs, *table.outputs):
        if row.tensor_index >= count:
            raise ModelError(
                f"signature {key!r} names tensor {row.tensor_index}, but the subgraph has only {count}."
            )
    return Signature(
        key=key,
        inputs={_text(row.name): row.tensor_index for row in table.inputs},
        outputs={_text(row.name): row.tensor_index for row in table.outputs},
        subgraph=table.subgraph_index,
    )
