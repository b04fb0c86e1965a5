"""Generated C on this machine: compiled as a shared library and run on samples."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tflite_export.c.emit import plan_program
from tflite_export.c.program import BYTES
from tflite_export.c.write import write_c
from tflite_export.read import read

FLAGS = ("-std=c99", "-O2", "-shared", "-fPIC")


def find_compiler():
    """Returns the command of a C compiler for this machine, as a list.

    Raises:
        RuntimeError: If there is none; it says what to install.

    Example:
    >>> from tflite_export.c.host import find_compiler
    >>> len(find_compiler()) > 0
    True
    """
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    raise RuntimeError("There is no C compiler. Install gcc or clang, or: pip install ziglang.")


def run(tflite, samples):
    """Returns the outputs of a model's generated C for a sequence of samples.

    State starts fresh and is carried from one sample to the next.

    Args:
        tflite: Bytes, a path, or what `convert` returned.
        samples: One array `(samples, *input shape)` for each input (for one input, the array itself), of the
            input's dtype. An input's leading 1 may serve as the samples' dimension.

    Returns:
        One array `(samples, *output shape)` per output.

    Raises:
        ModelError: If the model cannot become C.
        RuntimeError: If there is no C compiler, or it fails.
        ValueError: If the samples do not fit the inputs.
    """
    graph = read(tflite)
    program = plan_program(graph)
    arrays = [samples] if isinstance(samples, np.ndarray) else list(samples)
    if len(arrays) != len(program.inputs):
        raise ValueError(f"samples must hold {len(program.inputs)} arrays. Received: {len(arrays)}.")
    for array, port in zip(arrays, program.inputs, strict=True):
        if array.dtype.name != port.dtype or array.size % port.size:
            raise ValueError(
                f"input {port.name!r} takes {port.dtype} of shape {port.shape}. "
                f"Received: {array.dtype.name} of shape {array.shape}."
            )
    arrays = [
        np.ascontiguousarray(a).reshape(-1, *p.shape) for a, p in zip(arrays, program.inputs, strict=True)
    ]
    if len({len(a) for a in arrays}) > 1:
        raise ValueError(f"every input needs as many samples. Received: {[len(a) for a in arrays]}.")
    with tempfile.TemporaryDirectory() as folder:
        library = ctypes.CDLL(str(_compile(graph, Path(folder))))
        return _invoke(library, program, arrays)


def _compile(graph, folder):
    write_c(graph, "model", folder, self_test=False)
    library = folder / "model.so"
    sources = sorted(p.name for p in folder.glob("*.c"))
    command = [*find_compiler(), *FLAGS, *sources, "-o", library.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return library


def _invoke(library, program, arrays):
    raw = ctypes.create_string_buffer(program.arena_bytes + 16)
    arena = ctypes.c_void_p(-(-ctypes.addressof(raw) // 16) * 16)
    ports = {}
    for kind, side in (("input", program.inputs), ("output", program.outputs)):
        locate = getattr(library, f"model_{kind}_in")
        locate.restype = ctypes.c_void_p
        ports[kind] = [(locate(arena, i), p.size * BYTES[p.ctype]) for i, p in enumerate(side)]
    if program.states:
        library.model_reset_in(arena)
    outputs = [np.empty((len(arrays[0]), *p.shape), p.dtype) for p in program.outputs]
    for row in range(len(arrays[0])):
        for (address, size), array in zip(ports["input"], arrays, strict=True):
            ctypes.memmove(address, array[row].ctypes.data, size)
        library.model_invoke_in(arena)
        for (address, size), array in zip(ports["output"], outputs, strict=True):
            ctypes.memmove(array[row : row + 1].ctypes.data, address, size)
    return outputs
