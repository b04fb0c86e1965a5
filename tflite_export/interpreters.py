"""Finds a TensorFlow Lite interpreter for this machine and runs models on it."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_export.errors import ModelError
from tflite_export.read import read

# In the order of preference: LiteRT, its predecessor, and the copy inside TensorFlow.
CANDIDATES = (
    ("ai_edge_litert.interpreter", "Interpreter"),
    ("tflite_runtime.interpreter", "Interpreter"),
    ("tensorflow", "lite.Interpreter"),
)


@dataclass(frozen=True)
class Backend:
    """An interpreter class and where it came from."""

    name: str
    interpreter: Any


@functools.cache
def find_interpreter() -> Backend:
    """Returns the first interpreter that is installed: `ai_edge_litert`, `tflite_runtime`, TensorFlow's.

    Raises:
        RuntimeError: If there is none; it says what to install.
    """
    for module_name, path in CANDIDATES:
        try:
            found = importlib.import_module(module_name)
        except ImportError:
            continue
        for part in path.split("."):
            found = getattr(found, part)
        return Backend(module_name.removesuffix(".interpreter"), found)
    raise RuntimeError(
        "No TensorFlow Lite interpreter is installed. "
        "Install ai-edge-litert (or tflite-runtime, or tensorflow)."
    )


def run(tflite, samples, *, fresh=False) -> list[np.ndarray]:
    """Returns the interpreter's outputs for a sequence of samples.

    Args:
        tflite: Bytes, path, conversion result or graph.
        samples: One array `(samples, *input shape without batch)` for each input, in the file's order
            and of the input's dtype.
        fresh: Whether every sample starts from the initial state instead of the last one's.

    Returns:
        One array `(samples, *output shape without batch)` for each output, in the file's order.

    Raises:
        ModelError: If the interpreter refuses the model.
    """
    graph = read(tflite)
    interpreter = _load(graph)
    ins = [entry["index"] for entry in interpreter.get_input_details()]
    outs = [entry["index"] for entry in interpreter.get_output_details()]
    results: list[list[np.ndarray]] = [[] for _ in outs]
    for i in range(len(samples[0])):
        if fresh and i:
            interpreter.reset_all_variables()
        for index, tensor, values in zip(ins, graph.inputs, samples, strict=True):
            interpreter.set_tensor(index, np.ascontiguousarray(values[i]).reshape(tensor.shape))
        interpreter.invoke()
        for position, index in enumerate(outs):
            results[position].append(interpreter.get_tensor(index))
    return [np.concatenate(parts) if parts[0].ndim else np.stack(parts) for parts in results]


def _load(graph):
    backend = find_interpreter()
    try:
        interpreter = backend.interpreter(model_content=graph.content)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{backend.name} refuses the model: {error}") from error
    return interpreter
