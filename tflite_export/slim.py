"""The same model in fewer bytes: what no runtime reads is left out, what occurs twice is stored once."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tflite_export import schema
from tflite_export.archive import attach_files, attached_files
from tflite_export.errors import ModelError
from tflite_export.flatbuffer import Reader
from tflite_export.flatbuffer_write import write
from tflite_export.read import read

# Only the converter's own notes; labels, plans and whatever else a user put into the file stay.
_CONVERTER_NOTES = (b"min_runtime_version", b"CONVERSION_METADATA")


def slim(tflite: Any, *, keep_names: bool = False, keep_bias_scales: bool = False) -> bytes:
    """Returns the same model in fewer bytes and with the same outputs.

    Left out are the names of inner tensors (inputs, outputs and signatures keep theirs), the recorded
    minimum and maximum of tensors whose scale says the same, the scales of per-channel biases (they are the
    product of the input's and the weights'), the converter's notes and the description. Equal constants,
    vectors, names and tables are stored once. Constants stay aligned to 16 bytes, so that TFLM reads them
    in place.

    TFLM and LiteRT's own kernels compute the same bits. LiteRT's delegate for PCs and phones (XNNPACK)
    takes an operator only if its bias has scales: without them LiteRT falls back to its own kernels, which
    are slower and round differently. Keep them for a phone.

    A file with parts that this version does not know is returned as it is rather than without them.

    Args:
        tflite: Bytes, path, conversion result or graph.
        keep_names: Whether inner tensors and subgraphs keep their names, for a debugger's sake.

        keep_bias_scales: Whether per-channel biases keep their scales, for LiteRT's delegate.

    Returns:
        The smaller file, never larger than the one given.

    Raises:
        ModelError: If the file, or what is attached to it, cannot be read.

    Example:
    >>> len(slim("model.tflite")) < len(read("model.tflite").content)
    True
    """
    content = read(tflite).content
    reader = Reader(content)
    model = reader.root(schema.ModelTable)
    if not _is_understood(reader, model):
        return content
    files = attached_files(content)
    buffers = _Buffers(model.buffers)
    result = dataclasses.replace(
        model,
        subgraphs=tuple(
            _slim_subgraph(graph, model, buffers, keep_names, keep_bias_scales) for graph in model.subgraphs
        ),
        description=b"",
        metadata_buffer=(),
        metadata=tuple(
            dataclasses.replace(row, buffer=buffers.move(row.buffer))
            for row in model.metadata
            if row.name not in _CONVERTER_NOTES
        ),
    )
    result = dataclasses.replace(result, buffers=tuple(buffers.kept))
    smaller = attach_files(write(result, schema.IDENTIFIER), files)
    return smaller if len(smaller) < len(content) else content


def change_metadata(
    tflite: Any, entries: dict[str, bytes | None], *, files: dict[str, bytes] | None = None
) -> bytes:
    """Returns the model with named pieces of data set, or taken out where the value is None.

    Args:
        tflite: Bytes, path, conversion result or graph.
        entries: Name to content. An entry of that name already there is replaced.
        files: Files to attach instead of those already attached; None keeps them.

    Raises:
        ModelError: If the file cannot be read, or holds parts that this version does not know.
    """
    graph = read(tflite)
    reader = Reader(graph.content)
    model = reader.root(schema.ModelTable)
    if not _is_understood(reader, model):
        raise ModelError(
            "the file holds parts that this version does not know, so it cannot be written again without "
            "loss. Convert the model again with an older converter."
        )
    buffers = list(model.buffers)
    rows = [row for row in model.metadata if row.name.decode("utf-8", "replace") not in entries]
    for name, content in entries.items():
        if content is not None:
            rows.append(schema.MetadataTable(name.encode(), len(buffers)))
            buffers.append(schema.BufferTable(np.frombuffer(content, np.uint8)))
    changed = dataclasses.replace(model, buffers=tuple(buffers), metadata=tuple(rows))
    kept = attached_files(graph.content) if files is None else files
    return attach_files(write(changed, schema.IDENTIFIER), kept)


def _is_understood(reader, model):
    """Says whether nothing would be lost by writing the tables again."""
    if reader.unknown_slots or any(b.offset > 1 for b in model.buffers):
        return False
    ops = [op for subgraph in model.subgraphs for op in subgraph.operators]
    tensors = [tensor for subgraph in model.subgraphs for tensor in subgraph.tensors]
    return not (
        any(op.builtin_options_2.type or op.large_custom_options_offset > 1 for op in ops)
        or any(op.builtin_options.type and op.builtin_options.table is None for op in ops)
        or any(t.quantization and t.quantization.details.type > 2 for t in tensors)
    )


class _Buffers:
    """The constants that are still referred to, equal ones once; the first stays empty."""

    def __init__(self, buffers):
        self.old = buffers
        self.kept = [schema.BufferTable(np.zeros(0, np.uint8))]
        self.known = {b"": 0}

    def move(self, index):
        """Returns the new index of a buffer."""
        if index >= len(self.old):
            return 0
        content = self.old[index].data.tobytes()
        if content not in self.known:
            self.known[content] = len(self.kept)
            self.kept.append(self.old[index])
        return self.known[content]


def _slim_subgraph(subgraph, model, buffers, keep_names, keep_bias_scales):
    named = {*subgraph.inputs, *subgraph.outputs}
    biases = set() if keep_bias_scales else _per_channel_biases(subgraph, model)
    tensors = []
    for index, tensor in enumerate(subgraph.tensors):
        signature = () if tensor.shape_signature == tensor.shape else tensor.shape_signature
        tensors.append(
            dataclasses.replace(
                tensor,
                buffer=buffers.move(tensor.buffer),
                name=tensor.name if keep_names or index in named else b"",
                shape_signature=signature,
                quantization=None if index in biases else _slim_quantization(tensor.quantization),
            )
        )
    return dataclasses.replace(
        subgraph,
        tensors=tuple(tensors),
        operators=tuple(_slim_operator(op) for op in subgraph.operators),
        name=subgraph.name if keep_names else b"",
    )


def _slim_quantization(quantization):
    if quantization is None or (not quantization.scale.size and not quantization.details.type):
        return None
    nothing = np.zeros(0, np.float32)
    return dataclasses.replace(quantization, min=nothing, max=nothing)


def _slim_operator(op):
    mutating = op.mutating_variable_inputs
    return op if mutating.any() else dataclasses.replace(op, mutating_variable_inputs=np.zeros(0, np.uint8))


def _per_channel_biases(subgraph, model):
    """Returns the tensors that only serve as a bias and have a scale for each channel."""
    uses: dict[int, set] = {}
    for op in subgraph.operators:
        code = model.operator_codes[op.opcode_index]
        name = max(schema.OPERATORS.index(code.builtin_code), code.deprecated_builtin_code)
        for slot, index in enumerate(op.inputs):
            uses.setdefault(index, set()).add((schema.OPERATORS[name], slot))
    biased = {("CONV_2D", 2), ("DEPTHWISE_CONV_2D", 2), ("FULLY_CONNECTED", 2), ("TRANSPOSE_CONV", 3)}
    return {
        index
        for index, tensor in enumerate(subgraph.tensors)
        if tensor.quantization is not None
        and tensor.quantization.scale.size > 1
        and uses.get(index, set()) <= biased
        and index not in (*subgraph.inputs, *subgraph.outputs)
    }
