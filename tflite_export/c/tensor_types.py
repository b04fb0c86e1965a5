"""What a tensor is in C: its type, its width, its quantization; and the refusal of what it cannot be."""

from __future__ import annotations

import numpy as np

from tflite_export.c.program import C_TYPES
from tflite_export.errors import ModelError


class UnsupportedError(ModelError):
    """Raised by an emitter for an operator that it cannot turn into C."""


def ctype(tensor):
    """Returns the C type of a tensor's elements.

    Example:
    >>> from tflite_export.c.tensor_types import ctype
    >>> from tflite_export.graph import Tensor
    >>> ctype(Tensor(0, "x", (1,), "int16"))
    'int16_t'
    """
    if tensor.dtype not in C_TYPES:
        raise UnsupportedError(f"tensors of type {tensor.dtype}")
    return C_TYPES[tensor.dtype]


def element_bytes(tensor):
    """Returns the bytes one element takes in the arena.

    Example:
    >>> from tflite_export.c.tensor_types import element_bytes
    >>> from tflite_export.graph import Tensor
    >>> element_bytes(Tensor(0, "x", (1,), "int16"))
    2
    """
    return {"int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "float32": 4, "int64": 8}.get(tensor.dtype, 1)


def quantization(tensor):
    """Returns scale (float) and zero point of a tensor quantized as a whole.

    Raises:
        UnsupportedError: If the tensor has no scale or one for each channel.
    """
    q = tensor.quantization
    if q is None or q.scale.size != 1:
        raise UnsupportedError(f"tensor {tensor.name!r} must have exactly one scale")
    return np.float32(q.scale[0]), int(q.zero_point[0])
