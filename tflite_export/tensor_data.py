"""Constants and quantization of a tensor: stored bytes to arrays, and every contradiction refused."""

from __future__ import annotations

import math

import numpy as np

from tflite_export.errors import ModelError
from tflite_export.graph import QuantParams

MOST_ELEMENTS = 2**31 - 1  # what 32-bit sizes in the runtimes can hold
_NUMPY = {
    "float32": "<f4", "float16": "<f2", "float64": "<f8", "bfloat16": "<u2", "int8": "i1",
    "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4", "int64": "<i8",
    "uint64": "<u8", "bool": "?", "complex64": "<c8", "complex128": "<c16", "float8_e4m3fn": "u1",
    "float8_e5m2": "u1",
}  # fmt: skip
_PACKED = {"int4": 4, "uint4": 4, "int2": 2}
_RANGE = {"int8": (-128, 127), "uint8": (0, 255), "int4": (-8, 7), "int16": (-32768, 32767)}


def check_shape(shape: tuple[int, ...], where: str) -> int:
    """Returns the number of elements of a shape that a runtime can hold."""
    if len(shape) > 16:
        raise ModelError(
            f"{where} has too many dimensions for any runtime. Received: {len(shape)}, at most 16."
        )
    if any(size < 0 for size in shape):
        raise ModelError(f"{where} has a negative dimension. Received: shape={shape}.")
    size = math.prod(shape)
    if size > MOST_ELEMENTS:
        raise ModelError(f"{where} is too large for any runtime. Received: shape={shape}.")
    return size


def bits_of(dtype: str) -> int | None:
    """Returns the bits an element takes in memory, None for strings, resources and variants."""
    if dtype in _PACKED:
        return _PACKED[dtype]
    return np.dtype(_NUMPY[dtype]).itemsize * 8 if dtype in _NUMPY else None


def tensor_bytes(shape: tuple[int, ...], dtype: str) -> int:
    """Returns the bytes of a dense tensor: packed for 4-bit types, 0 for strings, resources and variants.

    Example:
    >>> tensor_bytes((3, 5), "int16"), tensor_bytes((3, 5), "int4")
    (30, 8)
    """
    return (math.prod(shape) * (bits_of(dtype) or 0) + 7) // 8


def decode(stored: memoryview, dtype: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Returns the values of a dense constant: a view where the type is one NumPy has, else unpacked."""
    if dtype == "string":
        return _strings(stored, shape, where)
    if bits_of(dtype) is None:
        raise ModelError(f"{where} is a constant of type {dtype}, which has no stored form.")
    need = tensor_bytes(shape, dtype)
    if len(stored) != need:
        raise ModelError(
            f"{where} of shape {shape} and type {dtype} needs {need} bytes, its buffer has {len(stored)}."
        )
    if dtype in _PACKED:
        return _unpack(stored, dtype)[: math.prod(shape)].reshape(shape)
    return np.frombuffer(stored, _NUMPY[dtype]).reshape(shape)


def stored_values(stored: memoryview, dtype: str) -> np.ndarray:
    """Returns the values that a sparse constant stores, in the order of the file."""
    kind = np.dtype(_NUMPY.get(dtype, "u1"))
    return np.frombuffer(stored[: len(stored) // kind.itemsize * kind.itemsize], kind)


def _unpack(stored, dtype):
    """Returns packed integers, lowest bits first, one to a byte."""
    bits = _PACKED[dtype]
    raw = np.frombuffer(stored, np.uint8)
    parts = np.stack([raw >> shift & (1 << bits) - 1 for shift in range(0, 8, bits)], axis=-1).reshape(-1)
    if dtype == "uint4":
        return parts
    half = 1 << bits - 1
    return ((parts ^ half).astype(np.int8) - half).astype(np.int8)


def _strings(stored, shape, where):
    """Returns an array of bytes objects: the file has their count, where each begins, and the text."""
    raw = np.frombuffer(stored[: len(stored) // 4 * 4], "<i4")
    count = int(raw[0]) if raw.size else 0
    starts = raw[1 : count + 2]
    if count != math.prod(shape) or starts.size != count + (count > 0) or (np.diff(starts) < 0).any():
        raise ModelError(f"{where} of shape {shape} holds strings that do not match it.")
    if count and (starts[0] < 0 or starts[-1] > len(stored)):
        raise ModelError(f"{where} holds strings that lie outside its buffer.")
    values = np.empty(count, object)
    for i in range(count):
        values[i] = bytes(stored[starts[i] : starts[i + 1]])
    return values.reshape(shape)


def quantization(table, where: str) -> QuantParams | None:
    """Returns the quantization of a tensor's table, or None where it has no scale."""
    stored = table.quantization
    if stored is None or not stored.scale.size:
        return None
    scale, zero_point, axis = stored.scale, stored.zero_point, stored.quantized_dimension
    if not np.isfinite(scale).all() or (scale < 0).any():
        raise ModelError(f"{where} has a scale that is negative or not a number.")
    if zero_point.size != scale.size:
        if zero_point.size > 1:
            raise ModelError(f"{where} has {scale.size} scales but {zero_point.size} zero points.")
        zero_point = np.broadcast_to(zero_point if zero_point.size else np.int64(0), scale.shape)
    low, high = _RANGE.get(table.type, (-(2**31), 2**31 - 1))
    if (zero_point < low).any() or (zero_point > high).any():
        raise ModelError(f"{where} has a zero point outside {table.type}, [{low}, {high}].")
    if len(table.shape) == 1:
        axis = 0  # some converters copy the weight's dimension to the bias
    if scale.size > 1 and not (0 <= axis < len(table.shape) and table.shape[axis] == scale.size):
        raise ModelError(f"{where} of shape {table.shape} has {scale.size} scales along dimension {axis}.")
    return QuantParams(scale, zero_point, axis if scale.size > 1 else 0)
