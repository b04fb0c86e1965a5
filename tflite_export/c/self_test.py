"""The self-test's input and what TensorFlow Lite Micro makes of it."""

from __future__ import annotations

import importlib.util

import numpy as np

from tflite_export.c.program import BYTES, Program
from tflite_export.c.render import SelfTest
from tflite_export.errors import ModelError


def expected(program: Program, content: bytes) -> SelfTest | None:
    """Returns the self-test of a program, or None where TensorFlow Lite Micro cannot judge it.

    Args:
        program: What was planned from the file.
        content: The file.
    """
    if importlib.util.find_spec("tflite_micro") is None:
        return None
    from tflite_export.tflm import run

    try:
        outputs = run(content, [values[None] for values in fixed_inputs(program)])
    except ModelError:
        return None
    return SelfTest(checksum(outputs), "TensorFlow Lite Micro")


def fixed_inputs(program):
    """Returns the arrays that the generated self-test feeds, one for each input."""
    seed, inputs = 1, []
    for port in program.inputs:
        words = np.empty(port.size, np.uint32)
        for i in range(port.size):
            seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
            words[i] = seed
        if port.ctype == "float":
            values = (words >> 16).astype(np.float32) * np.float32(2**-15) - np.float32(1)
        else:
            bits = 8 * min(BYTES[port.ctype], 2)
            values = (words >> np.uint32(32 - bits)).astype(np.dtype(f"uint{bits}"))
            dtype = np.dtype(port.ctype.removesuffix("_t"))
            values = values.view(dtype) if dtype.itemsize * 8 == bits else values.astype(dtype)
        inputs.append(values.reshape(port.shape))
    return inputs


def checksum(arrays):
    """Returns FNV-1a over the bytes of arrays.

    Example:
    >>> import numpy as np
    >>> from tflite_export.c.self_test import checksum
    >>> hex(checksum([np.array([97], np.uint8)]))
    '0xe40c292c'
    """
    total = 2166136261
    for array in arrays:
        for byte in np.ascontiguousarray(array).tobytes():
            total = ((total ^ byte) * 16777619) & 0xFFFFFFFF
    return total
