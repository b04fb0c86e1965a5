"""exp, logistic, tanh and 1/sqrt in the runtimes' fixed point, for tables made at generation time."""

from __future__ import annotations

import math

import numpy as np

from tflite_export.fixed_point import INT32_MAX, Multiplier, high_mul, rounding_shift_right, saturate


def exp_on_negative_values(value, integer_bits=5):
    """Returns `exp(value)` in Q0.31 for fixed-point values that are not positive.

    The argument is split into a remainder in [-1/4, 0), whose exponential is a polynomial of fourth
    degree, and a sum of powers of two, each of which contributes one factor.

    Args:
        value: int32 values with `31 - integer_bits` fractional bits, at most 0.
        integer_bits: At most 5.

    Example:
    >>> from tflite_export.fixed_point_functions import exp_on_negative_values
    >>> round(int(exp_on_negative_values(-(1 << 26))) / 2**31, 4)
    0.3679
    """
    value = np.asarray(value, np.int64)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    remainder = (value & (quarter - 1)) - quarter
    result = _exp_near_minus_one_eighth(saturate(remainder << integer_bits))
    whole = remainder - value
    for exponent in range(-2, integer_bits):
        factor = round(math.exp(-(2.0**exponent)) * (1 << 31))
        result = np.where(whole & (1 << (fraction_bits + exponent)), high_mul(result, factor), result)
    return np.where(value == 0, INT32_MAX, result)


def _exp_near_minus_one_eighth(value):
    """`exp` of Q0.31 values in [-1/4, 0): a Taylor polynomial around -1/8."""
    at_center = 1895147668  # exp(-1/8)
    one_third = 715827883
    x = value + (1 << 28)
    squared = high_mul(x, x)
    cubed = high_mul(squared, x)
    fourth_quarter = rounding_shift_right(high_mul(squared, squared), 2)
    tail = rounding_shift_right(high_mul(fourth_quarter + cubed, one_third) + squared, 1)
    return saturate(at_center + high_mul(at_center, x + tail))


def _newton_reciprocal(value):
    """2 / (1 + value) in Q2.29 for Q0.31 values in [0, 1)."""
    total = np.asarray(value, np.int64) + INT32_MAX
    half = (total + 1) >> 1
    result = 1515870810 + high_mul(half, -1010580540)
    for _ in range(3):
        error = (1 << 29) - high_mul(half, result)
        result = result + saturate(high_mul(result, error) << 2)
    return result


def logistic(value, integer_bits):
    """Returns `1 / (1 + exp(-value))` in Q0.31.

    Args:
        value: int32 values with `31 - integer_bits` fractional bits.
        integer_bits: At most 5.

    Example:
    >>> from tflite_export.fixed_point_functions import logistic
    >>> int(logistic(0, 4)) / 2**31
    0.5
    """
    value = np.asarray(value, np.int64)
    positive = saturate(_newton_reciprocal(exp_on_negative_values(-np.abs(value), integer_bits)) << 1)
    result = np.where(value > 0, positive, INT32_MAX - positive)
    return np.where(value == 0, 1 << 30, result)


def tanh(value, integer_bits):
    """Returns `tanh(value)` in Q0.31.

    Args:
        value: int32 values with `31 - integer_bits` fractional bits.
        integer_bits: At most 4.

    Example:
    >>> from tflite_export.fixed_point_functions import tanh
    >>> round(int(tanh(1 << 27, 4)) / 2**31, 4)
    0.7616
    """
    value = np.asarray(value, np.int64)
    exps = exp_on_negative_values(-np.abs(value), integer_bits + 1)
    magnitude = saturate((_newton_reciprocal(exps) - (1 << 29)) << 2)
    return np.where(value == 0, 0, np.where(value < 0, -magnitude, magnitude))


def table_units(value, multiplier, shift):
    """Returns int16 values in units of 1 / 12288: `value * multiplier / 2**shift`, halves rounded up.

    Example:
    >>> from tflite_export.fixed_point_functions import table_units
    >>> int(table_units(5, 3, 1))
    8
    """
    return (np.asarray(value, np.int64) * multiplier + ((1 << shift) >> 1)) >> shift


def logistic_q15(units, table):
    """Returns the logistic function of `units / 12288` in Q0.15, interpolated as the int16 kernels do.

    Args:
        units: Integers.
        table: 256 values of the function in Q0.16, 1/24 apart.
    """
    units = np.asarray(units, np.int64)
    value = _between(np.abs(units), 9, 0x7FFF << 10, table)
    return np.where(units >= 0, value + 512, (1 << 25) - value + 511) >> 10


def tanh_q15(units, table):
    """Returns tanh of `units / 12288` in Q0.15, from the table of the logistic function.

    Args:
        units: Integers.
        table: 256 values of the logistic function in Q0.16, 1/24 apart.
    """
    units = np.asarray(units, np.int64)
    value = _between(np.abs(units), 8, 0xFFFF << 8, table)
    return np.where(units >= 0, value - (1 << 23) + 128, (1 << 23) - value + 127) >> 8


def _between(size, bits, beyond, table):
    """Interpolates with `bits` fractional bits in a table, which `beyond` continues."""
    table = np.asarray(table, np.int64)
    place = np.minimum(size >> bits, 254)
    value = (table[place] << bits) + (size & ((1 << bits) - 1)) * (table[place + 1] - table[place])
    return np.where(size >> bits < 255, value, beyond)


def inverse_sqrt(value):
    """Returns `1 / sqrt(value)` of one positive integer as a `Multiplier` whose shift is not positive.

    Example:
    >>> from tflite_export.fixed_point_functions import inverse_sqrt
    >>> m = inverse_sqrt(16)
    >>> round(m.significand / 2**31 * 2**m.shift, 6)
    0.25
    """
    value = int(value)
    if value <= 1:
        return Multiplier(INT32_MAX, 0)
    right = 11
    while value >= 1 << 29:
        value //= 4
        right += 1
    pairs = (31 - value.bit_length()) // 2 - 1
    right -= pairs
    value <<= 2 * pairs
    operand = value >> 1  # Q3.28
    half = int(rounding_shift_right(operand, 1))
    one_and_a_half = (1 << 28) + (1 << 27)
    x = 1 << 28
    for _ in range(5):
        cubed = int(saturate(high_mul(high_mul(x, x), x) << 6))
        x = int(saturate((int(high_mul(one_and_a_half, x)) - int(high_mul(half, cubed))) << 3))
    significand = int(high_mul(x, 1518500250))
    return Multiplier(significand << -right, 0) if right < 0 else Multiplier(significand, -right)
