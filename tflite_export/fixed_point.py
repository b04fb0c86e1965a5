"""The integer arithmetic of the runtimes, defined once: scale -> multiplier and shift, and the rounding.

Every function accepts Python integers and integer arrays alike and computes in 64 bits, so that a
whole tensor, or a whole table, can be evaluated at generation time exactly as a microcontroller
would evaluate it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1

LIMITS = {
    "int4": (-8, 7),
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "int32": (INT32_MIN, INT32_MAX),
}


class Multiplier(NamedTuple):
    """A positive real number as `significand * 2 ** (shift - 31)`.

    Attributes:
        significand: 0 or in [2**30, 2**31).
        shift: Power of two, in [-31, 31]; positive means to the left.
    """

    significand: int
    shift: int


def quantize_multiplier(real):
    """Returns the `Multiplier` nearest to a real number.

    Values below 2**-32 become zero, as in the runtimes.

    Args:
        real: A finite number, not negative and below 2**31.

    Raises:
        ValueError: If `real` is negative, not finite or too large.

    Example:
    >>> from tflite_export.fixed_point import quantize_multiplier
    >>> quantize_multiplier(0.375)
    Multiplier(significand=1610612736, shift=-1)
    """
    real = float(real)
    if not (math.isfinite(real) and 0 <= real < 2.0**31):
        raise ValueError(
            f"A multiplier must be finite, not negative and below 2**31. Received: real={real}. "
            "Look for a scale that is zero, infinite or out of proportion."
        )
    fraction, shift = math.frexp(real)
    significand = math.floor(fraction * (1 << 31) + 0.5)
    if significand == 1 << 31:
        significand, shift = significand >> 1, shift + 1
    if significand == 0 or shift < -31:
        return Multiplier(0, 0)
    return Multiplier(significand, shift)


def saturate(value, dtype="int32"):
    """Returns `value` limited to the range of an integer type.

    Example:
    >>> from tflite_export.fixed_point import saturate
    >>> int(saturate(300, "int8"))
    127
    """
    low, high = LIMITS[dtype]
    return np.clip(np.asarray(value, np.int64), low, high)


def high_mul(a, b):
    """Returns `round(a * b / 2**31)` with halves rounded up, saturated for -2**31 squared.

    Args:
        a: int32 values.
        b: int32 values.

    Example:
    >>> from tflite_export.fixed_point import high_mul
    >>> int(high_mul(1 << 30, 1 << 30))
    536870912
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return saturate((product + (1 << 30)) >> 31)


def rounding_shift_right(value, exponent):
    """Returns `value / 2**exponent` rounded to nearest, halves away from zero.

    Args:
        value: int32 values.
        exponent: Not negative.

    Example:
    >>> from tflite_export.fixed_point import rounding_shift_right
    >>> int(rounding_shift_right(-6, 2)), int(rounding_shift_right(6, 2))
    (-2, 2)
    """
    value = np.asarray(value, np.int64)
    half = (1 << np.asarray(exponent, np.int64)) >> 1
    return np.where(exponent == 0, value, (value + half - ((value < 0) & (half > 0))) >> exponent)


def requantize(value, multiplier):
    """Returns `value` times a `Multiplier`, rounded twice as the runtimes do.

    Args:
        value: int32 values, small enough that a left shift stays within int32.
        multiplier: What `quantize_multiplier` returned.

    Example:
    >>> from tflite_export.fixed_point import quantize_multiplier, requantize
    >>> int(requantize(100, quantize_multiplier(0.375)))
    38
    """
    significand, shift = multiplier
    value = np.asarray(value, np.int64) << max(shift, 0)
    return rounding_shift_right(high_mul(value, significand), max(-shift, 0))


def activation_range(activation, scale, zero_point, dtype="int8"):
    """Returns the lowest and highest integer that a fused activation lets through.

    Args:
        activation: `"NONE"`, `"RELU"`, `"RELU6"` or `"RELU_N1_TO_1"`.
        scale: Scale of the output.
        zero_point: Zero point of the output.
        dtype: Integer type of the output.

    Raises:
        ValueError: If the activation cannot be fused.

    Example:
    >>> from tflite_export.fixed_point import activation_range
    >>> activation_range("RELU6", 0.05, -128)
    (-128, -8)
    """
    bounds = {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
    if activation not in bounds:
        raise ValueError(f"activation must be one of {sorted(bounds)}. Received: activation={activation!r}.")
    low, high = LIMITS[dtype]
    below, above = bounds[activation]
    if below is not None:
        low = max(low, quantize(below, scale, zero_point))
    if above is not None:
        high = min(high, quantize(above, scale, zero_point))
    return low, high


def quantize(real, scale, zero_point):
    """Returns `round(real / scale) + zero_point`, divided in float32 and rounded away from zero.

    Example:
    >>> from tflite_export.fixed_point import quantize
    >>> quantize(6.0, 0.05, -128)
    -8
    """
    return int(round_half_away(np.float32(real) / np.float32(scale))) + int(zero_point)


def round_half_away(value):
    """Returns float values rounded to whole numbers, halves away from zero.

    Example:
    >>> from tflite_export.fixed_point import round_half_away
    >>> float(round_half_away(-2.5))
    -3.0
    """
    value = np.asarray(value, np.float64)
    return np.copysign(np.floor(np.abs(value) + 0.5), value)
