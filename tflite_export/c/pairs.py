"""Weights of two output channels in one 16-bit number, and the proofs under which kernels may use them.

A number `256 * odd + even` times an input, summed, gives 256 times the sum of the odd channel plus the sum
of the even one; the sign-extended low bytes give the latter alone. So one widening serves two channels, in
as many bytes as before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_export.fixed_point import Multiplier, requantize

PRODUCT_LIMIT = 1 << 23  # beyond it 256 times a sum leaves 32 bits
SUM_LIMIT = 1 << 30  # beyond it twice a sum leaves 32 bits
TAP_ORDER = (0, 2, 1, 3)  # as SXTB16 takes bytes apart: even ones, then odd ones


@dataclass(frozen=True)
class Scaling:
    """Bias and rounding right shift of each channel, proved to suit the fast requantization.

    Attributes:
        bias: int64, the zero point folded in.
        significand: int64, in [2^30, 2^31).
        shift: int64, to the right, at least 1.
        constant: Bool, channels that do not suit it as they are, but whose output is the same for every
            input: the other fields give that output when their weights are zero.
    """

    bias: np.ndarray
    significand: np.ndarray
    shift: np.ndarray
    constant: np.ndarray


def accumulator_range(weights, bias):
    """Returns the least and the greatest sum of each channel over all int8 inputs.

    Args:
        weights: Shape `(channels, taps)`.
        bias: Shape `(channels,)`.

    Example:
    >>> from tflite_export.c.pairs import accumulator_range
    >>> [v.tolist() for v in accumulator_range([[1, -1]], [10])]
    [[-245], [265]]
    """
    weights, bias = np.asarray(weights, np.int64), np.asarray(bias, np.int64)
    low = bias + np.where(weights > 0, -128 * weights, 127 * weights).sum(1)
    high = bias + np.where(weights > 0, 127 * weights, -128 * weights).sum(1)
    return low, high


def prove_scaling(weights, bias, significands, shifts, output):
    """Returns the `Scaling` of channels, or None where one of them does not suit the fast requantization.

    Args:
        weights: Shape `(channels, taps)`.
        bias: Shape `(channels,)`, the zero point folded in.
        significands: Of the multipliers.
        shifts: Of the multipliers, to the left where positive.
        output: `output_zero_point`, `output_min` and `output_max`.
    """
    low, high = accumulator_range(weights, bias)
    zero_point = output["output_zero_point"]
    bias, significand, shift = (np.array(v, np.int64) for v in (bias, significands, -np.asarray(shifts)))
    constant = np.zeros(len(bias), bool)
    for c in range(len(bias)):
        multiplier = Multiplier(int(significands[c]), int(shifts[c]))
        reach = max(abs(int(low[c])), abs(int(high[c])))
        rounding = abs(2 * zero_point + 1) << max(0, int(shift[c]) - 1)
        highest = (reach * multiplier.significand >> 31) + 1 + rounding
        if shift[c] >= 1 and multiplier.significand and reach < SUM_LIMIT and highest < 1 << 31:
            continue
        ends = [
            int(np.clip(requantize(v, multiplier) + zero_point, output["output_min"], output["output_max"]))
            for v in (int(low[c]), int(high[c]))
        ]
        if ends[0] != ends[1]:
            return None
        constant[c] = True  # requantization is monotonic, so all inputs give what both ends give
        bias[c], significand[c], shift[c] = 4 * (ends[0] - zero_point), 1 << 30, 1
    return Scaling(bias, significand, shift, constant)


def pack_pairs(weights, constant):
    """Returns the numbers of channel pairs, shape `(pairs, taps / 4, 4)`, or None where they cannot be made.

    Args:
        weights: Shape `(channels, taps)`; both are filled up with zeros, to pairs and to fours.
        constant: Channels whose weights do not matter.

    Example:
    >>> from tflite_export.c.pairs import pack_pairs
    >>> pack_pairs([[1, 2, 3, 4], [0, 0, 1, 0]], [False, False]).tolist()
    [[[1, 259, 2, 4]]]
    """
    weights = np.array(weights, np.int64)
    weights[np.asarray(constant, bool)] = 0
    if (128 * np.abs(weights).sum(1)).max(initial=0) >= PRODUCT_LIMIT:
        return None
    channels, taps = weights.shape
    filled = np.zeros((channels + channels % 2, taps + -taps % 4), np.int64)
    filled[:channels, :taps] = weights
    numbers = 256 * filled[1::2] + filled[::2]
    if numbers.min(initial=0) < -(1 << 15):
        return None
    return numbers.reshape(len(numbers), -1, 4)[:, :, TAP_ORDER]


def even_length(values, fill):
    """Returns values as an array with one more, `fill`, where their number is odd.

    Example:
    >>> from tflite_export.c.pairs import even_length
    >>> even_length([5, 6, 7], 0).tolist()
    [5, 6, 7, 0]
    """
    values = np.asarray(values)
    return np.append(values, [fill] * (len(values) % 2)).astype(values.dtype)
