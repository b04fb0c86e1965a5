"""What a network costs on a device, from its operators alone: no weights, no conversion, no compiler.

Multiply-accumulates, weight bytes and the arena are exact: they come from the exporter's own counters and
planner. Flash, RAM and instructions of the standalone C are estimates with coefficients that
`benchmarks/fit_costs.py` measured on an emulated Cortex-M4; the exporter gives the true figures for the
candidate that is chosen.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
from dataclasses import dataclass

import numpy as np

from tflite_export import cost, memory
from tflite_export.c.ops.depthwise_conv_2d import PLANE_BYTES
from tflite_export.c.window import Window, geometry

_PLANNING_TRIES = 30
_ALIGNMENT = 4


@dataclass(frozen=True)
class Cost:
    """What a candidate needs.

    Attributes:
        macs: Multiply-accumulates of one inference; exact.
        weight_bytes: Weights as int8 and biases as int32; exact.
        arena_bytes: Planned activations in TFLM, aligned to 16 bytes, without TFLM's own structures; exact.
        flash_bytes: Linked standalone C, code and constants; estimated.
        ram_bytes: Static RAM of the standalone C; estimated.
        instructions: Executed on a Cortex-M4 for one inference; estimated.
    """

    macs: int
    weight_bytes: int
    arena_bytes: int
    flash_bytes: int
    ram_bytes: int
    instructions: int


def cost_of(graph) -> Cost:
    """Returns the `Cost` of a `tflite_export.graph.Graph`; values of constants are not looked at.

    An operator that was never measured is taken for the dearest of those that were.

    Example:
    >>> from keras_shrink.search.sketch import Sketch
    >>> sketch = Sketch((64,))
    >>> _ = sketch.dense(sketch.input, 10, activation="softmax")
    >>> cost_of(sketch.graph()).weight_bytes
    680
    """
    main, known = graph.main, _coefficients()
    buffers = list(memory.lifetimes(main).values())
    dearest = [max(column) for column in zip(*known["instructions"].values(), strict=True)]
    instructions = 0.0
    for op in main.ops:
        kind, features = instruction_features(main, op)
        instructions += float(np.dot(known["instructions"].get(kind, dearest), features))
    flash = sum(known["flash_bytes"].get(kind, 0) * value for kind, value in flash_features(main).items())
    return Cost(
        macs=sum(cost.macs(main, op) for op in main.ops),
        weight_bytes=sum(t.buffer_bytes for op in main.ops for t in cost.weights(main, op)),
        arena_bytes=memory.plan(buffers, tries=_PLANNING_TRIES).size_bytes,
        flash_bytes=round(flash),
        ram_bytes=round(planned_ram_bytes(main) + known["ram_bytes"]),
        instructions=round(instructions),
    )


def instruction_features(subgraph, op) -> tuple[str, list[float]]:
    """Returns the kind of kernel that computes an operator, and what its instructions are fitted to.

    These are products (weights padded to vectors of four, as the kernels store them), gathered inputs,
    outputs, inputs, and one.
    """
    outputs = sum(subgraph.tensors[i].size for i in op.outputs)
    reads = [subgraph.tensors[i] for i in op.inputs if i >= 0]
    inputs = sum(tensor.size for tensor in reads if not tensor.is_constant)
    kind, products, gathered = op.code, cost.macs(subgraph, op), 0
    if op.code in ("CONV_2D", "FULLY_CONNECTED"):
        channels, *window = reads[1].shape
        taps = -(-math.prod(window) // 4) * 4
        gathered = outputs // channels * taps
        products = gathered * channels
    elif op.code == "DEPTHWISE_CONV_2D":
        _, height, width, _ = reads[1].shape
        kind = f"{op.code} {height}x{width} stride {op.options.stride_w}"
    return kind, [products, gathered, outputs, inputs, 1]


def flash_features(subgraph) -> dict[str, float]:
    """Returns what linked flash is fitted to: weight bytes, channels, and each kind of operator once."""
    features: dict[str, float] = {"base": 1, "weight bytes": 0, "channels": 0, "operators": len(subgraph.ops)}
    for op in subgraph.ops:
        features[op.code] = 1
        for tensor in cost.weights(subgraph, op):
            features["weight bytes"] += tensor.buffer_bytes
            features["channels"] += tensor.size if tensor.dtype == "int32" else 0
    return features


def planned_ram_bytes(subgraph) -> int:
    """Returns the arena of the standalone C: kernels write over what they have read, and need scratch."""
    buffers = memory.lifetimes(subgraph)
    position = {tensor: i for i, tensor in enumerate(buffers)}
    gaps = memory.in_place_gaps(subgraph, buffers)
    values = list(buffers.values())
    for op in subgraph.ops:
        if op.code not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        source, target = subgraph.tensors[op.inputs[0]], subgraph.tensors[op.outputs[0]]
        shape = subgraph.tensors[op.inputs[1]].shape
        vectors = -(-math.prod(shape[1:]) // 4)
        if op.code == "CONV_2D":
            scratch = 28 * vectors
        elif op.code == "FULLY_CONNECTED":
            scratch = 8 * vectors
        else:
            scratch = min(PLANE_BYTES, 2 * (source.shape[1] + 2) * (source.shape[2] + 2))
        values.append(memory.Buffer(scratch, op.index, op.index))
        if buffers[source.index].last == op.index and op.code != "FULLY_CONNECTED":
            lag = _lag(source, target, shape[1:3], op.options) if op.code == "CONV_2D" else 0
            gaps[position[target.index], position[source.index]] = lag
    return memory.plan(values, alignment=_ALIGNMENT, gaps=gaps, tries=_PLANNING_TRIES).size_bytes


def _lag(source, target, filter_size, options):
    """Returns by how many bytes the input of a convolution must start after its output."""
    pad = geometry(source.shape, target.shape, options, filter_size)
    stride = options.stride_h, options.stride_w
    window = Window(1, source.shape[1:], target.shape[1:], tuple(filter_size), stride, (1, 1), pad)
    return max(window.distance(pixels=pixels, ahead=True) for pixels in (1, 3))


@functools.cache
def _coefficients():
    text = importlib.resources.files("keras_shrink.search").joinpath("costs.json").read_text("utf-8")
    return json.loads(text)
