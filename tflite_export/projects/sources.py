"""The files every project shares: model, values, self-test and, for TFLM, the interpreter's glue."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

import numpy as np

from tflite_export import model_metadata, tflm, tflm_operators
from tflite_export.c.array import render_c_array
from tflite_export.c.write import render_c
from tflite_export.errors import ModelError
from tflite_export.graph import Graph, Tensor
from tflite_export.templates import render

RUNTIMES = ("c", "tflm")
_CTYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "float32": "float",
}
_VALUES_PER_LINE = 16


@dataclass(frozen=True)
class Port:
    """An input or output as the templates see it."""

    name: str
    dtype: str
    ctype: str
    shape: tuple[int, ...]
    elements: int
    bytes: int
    scale: str
    zero_point: int
    low: int
    high: int
    fill: str
    kotlin_put: str
    kotlin_get: str
    expected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sources:
    """What goes into a project.

    Attributes:
        name: Prefix of everything, a C identifier.
        runtime: "c" for standalone C, "tflm" for TensorFlow Lite Micro.
        files: File name -> text.
        facts: What the templates need.
    """

    name: str
    runtime: str
    files: dict[str, str]
    facts: dict

    @property
    def units(self) -> list[str]:
        """The files to compile."""
        return sorted(name for name in self.files if name.endswith((".c", ".cpp")))


def gather(graph: Graph, name: str, runtime: str, *, arduino: bool = False) -> Sources:
    """Returns the sources of a model, nothing written yet.

    Raises:
        ModelError: If the runtime does not support the model.
        ValueError: If the name is no C identifier or the runtime unknown.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime must be one of {', '.join(RUNTIMES)}. Received: runtime={runtime!r}.")
    facts = {**describe(graph, name, runtime), "arduino": arduino}
    if runtime == "c":
        facts["api_header"] = f"{name}.h"
        files = render_c(graph, name, self_test=False)
        facts["reset"] = f"void {name}_reset(void)" in files[f"{name}.h"]
    else:
        files = _tflm_files(graph, name, facts)
    files[f"{name}_values.h"] = render("projects/values.h.j2", **facts)
    facts["outputs"], facts["tested"] = _with_expectations(graph, facts["outputs"])
    if facts["tested"]:
        files[f"{name}_self_test.h"] = render("projects/self_test.h.j2", **facts)
        files[f"{name}_self_test.c"] = render("projects/self_test.c.j2", **facts)
    return Sources(name, runtime, files, facts)


def describe(graph: Graph, name: str, runtime: str) -> dict:
    """Returns what the templates need to know of a model."""
    inputs, outputs = ([_port(t) for t in side] for side in (graph.inputs, graph.outputs))
    card = model_metadata.read_card(graph) or model_metadata.ModelCard()
    return {
        "name": name,
        "prefix": name.upper(),
        "runtime": runtime,
        "inputs": inputs,
        "outputs": outputs,
        "input_type": _shared_type(inputs),
        "output_type": _shared_type(outputs),
        "reset": False,
        "labels": [json.dumps(label, ensure_ascii=False) for label in card.labels],
        "mean": [_literal(v) for v in card.mean],
        "std": [_literal(v) for v in card.std],
        "title": card.name or name,
        "author": card.author or "unknown",
        "version": _version(card.version),
        "license": card.license,
        "about": card.description or f"The neural network {name}, ready to build.",
    }


def _tflm_files(graph, name, facts):
    """Returns the C array and the interpreter's glue; adds what the other templates need of it."""
    missing = tflm_operators.missing_operators(graph)
    if missing:
        raise ModelError(f'TFLM does not have {", ".join(missing)}. Use runtime="c" or another model.')
    ops = [op for subgraph in graph.subgraphs for op in subgraph.ops]
    variables = {op.options.shared_name for op in ops if op.code == "VAR_HANDLE"}
    facts.update(
        api_header=f"{name}_tflm.h",
        calls=tflm_operators.resolver_calls(graph),
        variables=len(variables),
    )
    files = render_c_array(graph, name)
    files[f"{name}_tflm.h"] = render("projects/tflm.h.j2", **facts)
    files[f"{name}_tflm.cpp"] = render("projects/tflm.cpp.j2", **facts)
    return files


def fixed_inputs(graph: Graph) -> list[np.ndarray]:
    """Returns the arrays that the generated self-test feeds: one generator over all inputs."""
    seed, arrays = 1, []
    for tensor in graph.inputs:
        words = np.empty(tensor.size, np.uint32)
        for i in range(tensor.size):
            seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
            words[i] = seed
        if tensor.dtype == "float32":
            values = (words >> 16).astype(np.float32) * np.float32(2**-15) - np.float32(1)
        else:
            bits = 8 * min(np.dtype(tensor.dtype).itemsize, 2)
            values = (words >> np.uint32(32 - bits)).astype(f"uint{bits}").astype(tensor.dtype)
        arrays.append(values.reshape(tensor.shape))
    return arrays


def _with_expectations(graph, outputs):
    """Returns the outputs with what TFLM computes for the fixed inputs, and whether it does."""
    try:
        values = tflm.run(graph, [a[None] for a in fixed_inputs(graph)])
    except (ModelError, RuntimeError):
        return outputs, False
    ports = [
        dataclasses.replace(p, expected=_lines(v.reshape(-1))) for p, v in zip(outputs, values, strict=True)
    ]
    return ports, True


def _lines(values):
    texts = [_literal(v) if values.dtype.kind == "f" else str(int(v)) for v in values]
    starts = range(0, len(texts), _VALUES_PER_LINE)
    return tuple(", ".join(texts[i : i + _VALUES_PER_LINE]) for i in starts)


def _port(tensor: Tensor) -> Port:
    ctype = _CTYPES.get(tensor.dtype)
    if ctype is None or not tensor.size:
        raise ModelError(
            f"inputs and outputs must be one of {', '.join(_CTYPES)} and not empty. "
            f"Received: {tensor.name!r} of type {tensor.dtype}, shape {tensor.shape}."
        )
    params, whole = tensor.quantization, tensor.dtype != "float32"
    low, high = (int(np.iinfo(tensor.dtype).min), int(np.iinfo(tensor.dtype).max)) if whole else (0, 0)
    scale, point = "", 0
    if params is not None and whole:
        scale, point = _literal(params.scale[0]), int(params.zero_point[0])
    bits = 8 * min(np.dtype(tensor.dtype).itemsize, 2)
    kind = {"int8": "", "uint8": "", "int16": "Short", "int32": "Int", "float32": "Float"}[tensor.dtype]
    return Port(
        name=" ".join(tensor.name.replace("*/", "").split()),
        dtype=tensor.dtype,
        ctype=ctype,
        shape=tensor.shape,
        elements=tensor.size,
        bytes=np.dtype(tensor.dtype).itemsize,
        scale=scale,
        zero_point=point,
        low=low,
        high=high,
        fill=f"({ctype})(seed >> {32 - bits}u)"
        if whole
        else "(float)(seed >> 16u) * 3.0517578125e-05f - 1.0f",
        kotlin_put=_kotlin_put(tensor.dtype, kind, scale, point, (low, high)),
        kotlin_get=_kotlin_get(tensor.dtype, kind, scale, point),
    )


def _kotlin_put(dtype, kind, scale, point, limits):
    if dtype == "float32":
        return "input.putFloat(real)"
    steps = f"(real / {scale}).roundToInt() + {point}" if scale else "real.roundToInt()"
    convert = {"int8": ".toByte()", "uint8": ".toByte()", "int16": ".toShort()", "int32": ""}[dtype]
    return f"input.put{kind}(({steps}).coerceIn({limits[0]}, {limits[1]}){convert})"


def _kotlin_get(dtype, kind, scale, point):
    read = f"output.get{kind}()"
    if dtype == "float32":
        return read
    number = f"({read}.toInt() and 0xFF)" if dtype == "uint8" else f"{read}.toInt()"
    return f"({number} - ({point})) * {scale}" if scale else f"{number}.toFloat()"


def _shared_type(ports):
    types = {port.ctype for port in ports}
    return types.pop() if len(types) == 1 else "void"


def _literal(value) -> str:
    text = repr(float(np.float32(value)))
    short = np.format_float_positional(np.float32(value), unique=True, trim="0")
    return f"{short if len(short) < 24 else text}f"


def _version(text):
    parts = [part for part in text.split(".") if part.isdigit()]
    return ".".join([*parts, "0", "0", "0"][:3]) if parts else "1.0.0"
