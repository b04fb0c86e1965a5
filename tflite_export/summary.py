"""What a model is and needs, operator by operator: the facts behind `keras-shrink inspect`."""

from __future__ import annotations

import dataclasses
import gzip
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_export import cost, memory, model_metadata, tflm
from tflite_export.errors import ModelError
from tflite_export.graph import Graph, Subgraph, Tensor
from tflite_export.offline_plan import stored_offsets
from tflite_export.read import read

_BOUNDARY = ("QUANTIZE", "DEQUANTIZE")
_QUANTIZED = ("int8", "uint8", "int16")
_MOST_CONFLICTS = 200_000


@dataclass(frozen=True)
class TensorFacts:
    """An input or output of the model."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class OpFacts:
    """One operator.

    Attributes:
        subgraph: Index of its subgraph.
        index: Position in the subgraph.
        code: Schema name, or the name of a custom operator.
        inputs: Shapes of the activations it reads.
        outputs: Shapes of what it writes.
        dtypes: Types of first input, first weight and first output, such as `"int8 x int8 -> int8"`.
        macs: Multiply-accumulates of one execution.
        weight_bytes: Its constants as stored, those shared with an earlier operator not counted again.
        parameters: How many numbers those are.
        nonzeros: How many of them are not zero.
        floating: Whether it reads or writes floating-point activations.
    """

    subgraph: int
    index: int
    code: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    dtypes: str
    macs: int
    weight_bytes: int
    parameters: int
    nonzeros: int
    floating: bool


@dataclass(frozen=True)
class Lifetime:
    """Where and when an activation of the main subgraph lives, for the drawing of the arena."""

    tensor: int
    name: str
    offset: int
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Summary:
    """Everything `inspect` shows.

    Attributes:
        file_bytes: Size of the `.tflite`.
        gzip_bytes: The same through gzip at its best.
        weight_bytes: Constants as stored, each once.
        macs: Multiply-accumulates of one inference.
        parameters: How many weights and biases there are.
        nonzeros: How many of them are not zero.
        peak_activation_bytes: Activations alive at the busiest operator; no plan without overlaps is smaller.
        peak_operator: Index of that operator.
        plan_bytes: The best plan found for the activations, aligned to 16 bytes.
        plan_is_optimal: Whether `plan_bytes` is proved to be the smallest.
        plan_in_file: Whether the file brings its own plan for TFLM.
        arena: What TFLM allocates, or None where it refuses the model or is not installed.
        arena_problem: Why `arena` is None, else "".
        float_islands: Runs `(first, last)` of operators on floats in a model that also computes on integers.
        dynamic_tensors: Names of tensors whose shape is only known when the model runs.
        inputs: Inputs in the file's order.
        outputs: Outputs in the file's order.
        signatures: Keys of the signatures.
        metadata: Names of the metadata and their sizes.
        card: Labels, normalization, author and licence, where the file has them.
        description: Free text of the producer.
        ops: Every operator of every subgraph.
        lifetimes: The plan of the main subgraph's activations.
    """

    file_bytes: int
    gzip_bytes: int
    weight_bytes: int
    macs: int
    parameters: int
    nonzeros: int
    peak_activation_bytes: int
    peak_operator: int
    plan_bytes: int
    plan_is_optimal: bool
    plan_in_file: bool
    arena: tflm.Arena | None
    arena_problem: str
    float_islands: tuple[tuple[int, int], ...]
    dynamic_tensors: tuple[str, ...]
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    signatures: tuple[str, ...]
    metadata: dict[str, int]
    card: model_metadata.ModelCard | None
    description: str
    ops: tuple[OpFacts, ...]
    lifetimes: tuple[Lifetime, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain lists, dictionaries and numbers, as `inspect --json` prints them."""
        return dataclasses.asdict(self)

    def to_html(self, title: str = "model") -> str:
        """Returns a page of its own: facts, the arena over time, and bars for each operator."""
        from tflite_export.summary_page import page

        return page(self, title)

    def __str__(self) -> str:
        """The tables as text."""
        from tflite_export.summary_text import text

        return text(self)

    __repr__ = __str__


def summary(tflite: Any, *, measure: bool = True) -> Summary:
    """Returns what a model is and needs: sizes, work, memory, and what hinders a microcontroller.

    Args:
        tflite: Bytes, path, conversion result or graph.
        measure: Whether to measure the arena on TFLM, which takes a fifth of a second.

    Returns:
        The facts; `print` shows them as tables.

    Raises:
        ModelError: If the file cannot be read.

    Example:
    >>> summary("model.tflite").macs
    3456
    """
    graph = read(tflite)
    with ThreadPoolExecutor(1) as pool:
        arena = pool.submit(_measure, graph) if measure else None
        ops = tuple(_operators(graph))
        plan = _activation_plan(graph)
        packed = len(gzip.compress(graph.content, 9, mtime=0))
        measured, problem = arena.result() if arena else (None, "not measured")
    tensors = [t for subgraph in graph.subgraphs for t in subgraph.tensors]
    return Summary(
        file_bytes=len(graph.content),
        gzip_bytes=packed,
        weight_bytes=sum(op.weight_bytes for op in ops),
        macs=sum(op.macs for op in ops),
        parameters=sum(op.parameters for op in ops),
        nonzeros=sum(op.nonzeros for op in ops),
        arena=measured,
        arena_problem=problem,
        float_islands=_float_islands([op for op in ops if not op.subgraph]),
        dynamic_tensors=tuple(_name(t) for t in tensors if -1 in t.shape_signature),
        inputs=tuple(_tensor_facts(t) for t in graph.inputs),
        outputs=tuple(_tensor_facts(t) for t in graph.outputs),
        signatures=tuple(s.key for s in graph.signatures),
        metadata={name: len(content) for name, content in graph.metadata.items()},
        card=model_metadata.read_card(graph),
        description=graph.description,
        ops=ops,
        **plan,
    )


def _measure(graph):
    try:
        return tflm.measure_arena(graph), ""
    except (ModelError, RuntimeError) as error:
        return None, str(error)


def _operators(graph: Graph):
    seen: set[int] = set()
    for subgraph in graph.subgraphs:
        for op in subgraph.ops:
            held = [t for t in cost.weights(subgraph, op) if t.buffer not in seen]
            read_ones = [subgraph.tensors[i] for i in op.inputs if i >= 0]
            constants = {t.buffer: t.buffer_bytes for t in read_ones}
            fresh = sum(size for buffer, size in constants.items() if size and buffer not in seen)
            seen.update(constants)
            tensors = [subgraph.tensors[i] for i in (*op.inputs, *op.outputs) if i >= 0]
            yield OpFacts(
                subgraph=subgraph.index,
                index=op.index,
                code=op.custom_code or op.code,
                inputs=tuple(subgraph.tensors[i].shape for i in op.inputs if _is_activation(subgraph, i)),
                outputs=tuple(subgraph.tensors[i].shape for i in op.outputs),
                dtypes=_dtypes(subgraph, op),
                macs=cost.macs(subgraph, op),
                weight_bytes=fresh,
                parameters=sum(cost.parameters(t) for t in held),
                nonzeros=sum(cost.nonzeros(t) for t in held),
                floating=any(cost.is_float(t) and not t.is_constant for t in tensors),
            )


def _is_activation(subgraph, index):
    return index >= 0 and not subgraph.tensors[index].is_constant


def _dtypes(subgraph: Subgraph, op) -> str:
    sources = [subgraph.tensors[i].dtype for i in op.inputs if _is_activation(subgraph, i)][:1]
    sources += [t.dtype for t in cost.weights(subgraph, op)[:1]]
    results = [subgraph.tensors[i].dtype for i in op.outputs[:1]]
    return f"{' x '.join(sources)} -> {''.join(results)}".strip()


def _float_islands(ops) -> tuple[tuple[int, int], ...]:
    """Returns runs of float operators, empty where nothing computes on integers."""
    if not any(op.dtypes.endswith(_QUANTIZED) and op.code not in _BOUNDARY for op in ops):
        return ()
    islands: list[tuple[int, int]] = []
    for op in ops:
        if not op.floating or op.code in _BOUNDARY:
            continue
        if islands and islands[-1][1] == op.index - 1:
            islands[-1] = islands[-1][0], op.index
        else:
            islands.append((op.index, op.index))
    return tuple(islands)


def _activation_plan(graph: Graph) -> dict[str, Any]:
    buffers = memory.lifetimes(graph.main)
    values = list(buffers.values())
    load = memory.live_bytes(values)
    alive = memory.live_bytes([dataclasses.replace(b, size_bytes=1) for b in values])
    if sum(alive[b.first] for b in values) > _MOST_CONFLICTS:
        values = []  # an absurd graph: nobody waits for its plan
        buffers = {}
    plan = memory.plan(values, tries=500)
    offsets = stored_offsets(graph)
    chosen = offsets if offsets is not None else dict(zip(buffers, plan.offsets, strict=True))
    return {
        "peak_activation_bytes": max(load, default=0),
        "peak_operator": int(np.argmax(load)) if load else 0,
        "plan_bytes": plan.size_bytes,
        "plan_is_optimal": plan.is_optimal,
        "plan_in_file": offsets is not None,
        "lifetimes": tuple(
            Lifetime(i, _name(graph.main.tensors[i]), chosen[i], b.size_bytes, b.first, b.last)
            for i, b in buffers.items()
        ),
    }


def _tensor_facts(tensor: Tensor) -> TensorFacts:
    params = tensor.quantization
    single = params is not None and not params.per_channel
    return TensorFacts(
        name=tensor.name,
        shape=tensor.shape_signature,
        dtype=tensor.dtype,
        scale=float(params.scale[0]) if params is not None and single else None,
        zero_point=int(params.zero_point[0]) if params is not None and single else None,
    )


def _name(tensor: Tensor) -> str:
    return tensor.name or f"#{tensor.index}"
