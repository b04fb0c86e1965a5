"""Runs the generated C on this machine: TFLM's bits, many times faster than TFLM's reference kernels."""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tflite_export.c.write import RUNTIME, write_c
from tflite_export.errors import ModelError
from tflite_export.read import read


@functools.cache
def host_compiler() -> tuple[str, ...]:
    """Returns the command of this machine's C compiler, else of the one from PyPI.

    Raises:
        RuntimeError: If there is none; it says what to install.
    """
    found = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if found:
        return (found,)
    if (
        subprocess.run([sys.executable, "-c", "import ziglang"], capture_output=True, check=False).returncode
        == 0
    ):
        return (sys.executable, "-m", "ziglang", "cc")
    raise RuntimeError(
        "There is no C compiler on this machine. Install gcc or clang, or pip install ziglang."
    )


def run(tflite, samples, *, fresh=False) -> list[np.ndarray]:
    """Returns the outputs of the standalone C, compiled here, for a sequence of samples.

    Args:
        tflite: Bytes, path, conversion result or graph.
        samples: One array `(samples, *input shape without batch)` for each input, in the file's order
            and of the input's dtype.
        fresh: Whether every sample starts from the initial state instead of the last one's.

    Returns:
        One array `(samples, *output shape without batch)` for each output, in the file's order.

    Raises:
        ModelError: If the standalone C does not support the model.
        RuntimeError: If there is no C compiler.
    """
    graph = read(tflite)
    with tempfile.TemporaryDirectory() as folder:
        sources = [path for path in write_c(graph, "net", folder, self_test=False) if path.suffix == ".c"]
        library = Path(folder, "net.so")
        for position, source in enumerate(sources):
            if source.name != "net.c":
                sources[position] = source.with_suffix(".o")
                sources[position].write_bytes(_kernel(source.name))
        _compile("-shared", "-o", library, *sources)
        return _run_library(ctypes.CDLL(str(library)), graph, samples, fresh)


@functools.cache
def _kernel(name):
    """Returns the object code of a file of the runtime, which is the same for every model."""
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder, "kernel.o")
        _compile("-c", "-o", compiled, RUNTIME / name)
        return compiled.read_bytes()


def _compile(*arguments):
    command = [*host_compiler(), "-std=c99", "-O2", "-fPIC", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(f"the generated C does not compile here: {done.stderr.strip()[:500]}")


def _run_library(library, graph, samples, fresh):
    for side in ("net_input", "net_output"):
        getattr(library, side).restype = ctypes.c_void_p
    reset = getattr(library, "net_reset", None)
    count = len(samples[0])
    given = [np.ascontiguousarray(values) for values in samples]
    outputs = [np.empty((count, *tensor.shape[1:]), tensor.dtype) for tensor in graph.outputs]
    for i in range(count):
        if reset is not None and (fresh or i == 0):
            reset()
        for index, values in enumerate(given):
            ctypes.memmove(library.net_input(index), values[i].ctypes.data, values[i].nbytes)
        library.net_invoke()
        for index, values in enumerate(outputs):
            ctypes.memmove(values[i : i + 1].ctypes.data, library.net_output(index), values[i].nbytes)
    return outputs
