"""TensorFlow Lite Micro itself, through the `tflite-micro` wheel: the judge of outputs and of arena sizes.

TFLM trusts its model and its arena: on some files it ends the process. What is not known to be harmless runs
in a process of its own (`run`, `measure_arena`), where a crash becomes a `ModelError`; `Interpreter` runs in
this process and suits models that were just written or read without complaint.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_export.errors import ModelError
from tflite_export.graph import Graph
from tflite_export.read import read
from tflite_export.tensor_data import tensor_bytes
from tflite_export.warm_process import run_job

_WORKER = "tflite_export.tflm_worker"
_LARGEST_ARENA = 1 << 30
_stderr_lock = threading.Lock()


@dataclass(frozen=True)
class Arena:
    """What TFLM allocated for a model.

    Attributes:
        total_bytes: Everything it holds on to once it is ready.
        head_bytes: Activations and scratch buffers; the same on every device with the same kernels.
        tail_bytes: What lives as long as the interpreter: structs (64-bit here, so a 32-bit device needs
            less), quantization and variables.
    """

    total_bytes: int
    head_bytes: int
    tail_bytes: int
    required_bytes: int = 0


class Interpreter:
    """TFLM with one model, in this process.

    Args:
        tflite: Bytes, path, conversion result or graph.
        arena_bytes: Size of the arena; by default large enough for any plan of the activations.

    Raises:
        ModelError: If TFLM refuses the model; the message holds what TFLM said.
        RuntimeError: If the `tflite-micro` wheel is not installed.

    Example:
    >>> (y,) = Interpreter("model.tflite").invoke(np.zeros((1, 8, 8, 1), "int8"))
    >>> y.shape
    (1, 3)
    """

    def __init__(self, tflite: Any, arena_bytes: int | None = None):
        """Loads the model and allocates its tensors."""
        runtime = _load_wheel()
        self.graph = read(tflite)
        size = arena_bytes or generous_arena(self.graph)
        with _stderr() as said:
            try:
                self._tflm = runtime.Interpreter.from_bytes(self.graph.content, arena_size=size)
            except RuntimeError as error:
                raise ModelError(_refusal(said())) from error

    def invoke(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """Returns the outputs for one array per input, shaped and typed as the model's inputs are."""
        check_inputs(self.graph, inputs)
        with _stderr() as said:
            try:
                for i, values in enumerate(inputs):
                    self._tflm.set_input(np.ascontiguousarray(values), i)
                self._tflm.invoke()
                return [np.array(self._tflm.get_output(i)) for i in range(len(self.graph.outputs))]
            except (RuntimeError, ValueError) as error:
                raise ModelError(_refusal(said() or str(error))) from error

    def reset(self) -> None:
        """Sets variables back to their initial values."""
        self._tflm.reset()

    def arena(self) -> Arena:
        """Returns what the model took of the arena."""
        with _stderr() as said:
            self._tflm.print_allocations()
            return _parse_allocations(said())


def measure_arena(tflite: Any) -> Arena:
    """Returns what TFLM allocates for a model, measured with the real interpreter.

    Args:
        tflite: Bytes, path, conversion result or graph.

    Raises:
        ModelError: If TFLM refuses the model or crashes on it.

    Example:
    >>> measure_arena("model.tflite").head_bytes
    576
    """
    graph = read(tflite)
    reply, said = _ask(graph, [])
    return dataclasses.replace(_parse_allocations(said), required_bytes=int(reply["smallest"]))


def run(tflite: Any, samples: np.ndarray | Sequence[np.ndarray], *, fresh: bool = False) -> list[np.ndarray]:
    """Returns TFLM's outputs for a sequence of samples, computed in a process of its own.

    State (variables, LSTM) starts fresh and is carried from one sample to the next, unless `fresh`.

    Args:
        tflite: Bytes, path, conversion result or graph.
        samples: One array `(samples, *input shape)` for each input (for one input, the array itself), of
            the input's dtype. An input's leading 1 may serve as the samples' dimension.
        fresh: Whether every sample starts from the initial state.

    Returns:
        One array `(samples, *output shape)` per output.

    Raises:
        ModelError: If TFLM refuses the model, crashes, or the samples do not fit it.
    """
    graph = read(tflite)
    arrays = [samples] if isinstance(samples, np.ndarray) else list(samples)
    arrays = [_stacked(a, t.shape) for a, t in zip(arrays, graph.inputs, strict=False)] + arrays[
        len(graph.inputs) :
    ]
    if len({len(a) for a in arrays}) > 1:
        raise ModelError(f"every input needs as many samples. Received: {[len(a) for a in arrays]}.")
    if not arrays or not len(arrays[0]):
        raise ModelError("samples must hold at least one sample for each input. Received: none.")
    check_inputs(graph, [a[0] for a in arrays])
    reply, _ = _ask(graph, arrays, fresh=fresh)
    return [reply[f"y{i}"] for i in range(len(graph.outputs))]


def check_inputs(graph: Graph, inputs: Sequence[np.ndarray]) -> None:
    """Raises ModelError where arrays are not what the model's inputs take."""
    if len(inputs) != len(graph.inputs):
        raise ModelError(f"the model has {len(graph.inputs)} inputs. Received: {len(inputs)} arrays.")
    for tensor, values in zip(graph.inputs, inputs, strict=True):
        if values.shape != tensor.shape or values.dtype.name != tensor.dtype:
            raise ModelError(
                f"input {tensor.name!r} takes {tensor.dtype} of shape {tensor.shape}. "
                f"Received: {values.dtype.name} of shape {values.shape}."
            )


def generous_arena(graph: Graph) -> int:
    """Returns an arena size that holds every activation at once, several times over."""
    activations = sum(
        tensor_bytes(t.shape, t.dtype) for s in graph.subgraphs for t in s.tensors if not t.is_constant
    )
    structs = sum(2048 + 256 * (len(s.tensors) + len(s.ops)) for s in graph.subgraphs)
    channels = sum(t.quantization.scale.size for s in graph.subgraphs for t in s.tensors if t.quantization)
    size = 3 * activations + structs + 64 * channels + (1 << 17)
    return min(size // 16 * 16, _LARGEST_ARENA)  # TFLM loses what does not end on 16 bytes


def _stacked(array, shape):
    """Returns samples with a dimension of their own in front of the input's shape."""
    if array.ndim == len(shape) and shape[:1] == (1,):
        return array[:, None]
    return array


def _load_wheel():
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError as error:
        raise RuntimeError(
            "TFLM is not installed, so nothing can be measured on it. "
            "It is available for Linux on x86-64: pip install tflite-micro."
        ) from error
    return runtime


def _ask(graph, arrays, timeout_seconds=600, *, fresh=False):
    """Runs the worker process and returns its arrays and what TFLM printed."""
    request = io.BytesIO()
    model = np.frombuffer(graph.content, np.uint8)
    inputs = {f"x{i}": a for i, a in enumerate(arrays)}
    np.savez(request, model=model, arena=generous_arena(graph), fresh=fresh, **inputs)
    try:
        done = run_job(_WORKER, request.getvalue(), timeout=timeout_seconds)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"TFLM did not finish within {timeout_seconds} s.") from error
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode == 3:
        raise RuntimeError(said.strip())
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ModelError(f"TFLM crashed on the model ({name}). {_refusal(said)}")
    if done.returncode:
        raise ModelError(_refusal(said))
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as reply:
        return dict(reply), said


def _refusal(said):
    """Returns TFLM's own words without blank lines and allocation tables."""
    lines = [line.strip() for line in said.splitlines()]
    lines = [line for line in lines if line and not line.startswith("[RecordingMicroAllocator]")]
    return "TFLM refused the model: " + ("; ".join(lines[-6:]) or "it gave no reason")


def _parse_allocations(said):
    sizes = dict(re.findall(r"Arena allocation (total|head|tail) (\d+) bytes", said))
    if len(sizes) < 3:
        raise ModelError(f"TFLM did not say how much it allocated. It printed: {said[-200:]!r}.")
    return Arena(int(sizes["total"]), int(sizes["head"]), int(sizes["tail"]))


@contextlib.contextmanager
def _stderr() -> Iterator[Any]:
    """Catches what C code writes to stderr meanwhile; yields a function that returns it."""
    with _stderr_lock, tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)

        def said():
            file.seek(0)
            return file.read().decode("utf-8", "replace")

        try:
            yield said
        finally:
            os.dup2(saved, 2)
            os.close(saved)
