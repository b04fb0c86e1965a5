"""The arithmetic of integer operators, on what Keras computed in float32.

An integer operator sums products, which are whole multiples of one number, and brings the sum to the scale
of its output in two roundings. The sums are found again in what Keras computed, since its errors are far
smaller than one such multiple; from there on the arithmetic is that of the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_shrink.quantization.fake_quant import SymmetricWeights
from keras_shrink.quantization.integer_grid import Ends, Grid, stored
from keras_shrink.quantization.learned_steps import LearnedSteps
from keras_shrink.simulation.arithmetic import high_mul, round_away, shift_right
from keras_shrink.simulation.exponentials import exp_table, shares
from keras_shrink.simulation.logarithms import log_shares
from keras_shrink.simulation.roots import unit_rows

_ADDED_BITS = 2.0**20
_FINE = 2.0**-22  # steps of sums, in steps of the output, below which rounding them makes no difference


@dataclass(frozen=True)
class Sums:
    """What an integer operator sums.

    Attributes:
        step: The number of which its sums of products are whole multiples, one or one for each channel,
            float64.
        offset: What is added to a sum, likewise.
        bias: The multiple as which the file has it, likewise.
        count: How many sums a mean divides.
    """

    step: tf.Tensor
    offset: tf.Tensor | float = 0.0
    bias: tf.Tensor | float = 0.0
    count: int = 1

    @classmethod
    def of_kernel(cls, source: Grid, wrapper, name, weight, offset=0.0):
        """Products with a weight of a wrapper, rounded, of which only the scale may have changed since."""
        rounding = wrapper.weight_transforms[name][-1]
        ends = largest_weights(weight, rounding)
        return cls.of_weights(source, ends, offset, end=largest_integer(rounding))

    @classmethod
    def of_product(cls, first: Grid, second: Grid):
        """Products of values of two tensors, or sums of such."""
        return cls(first.step * second.step)

    @classmethod
    def of_constant(cls, source: Grid, factor):
        """Products with one number that is no weight."""
        return cls.of_product(source, Grid(Ends.holding(factor)))

    @classmethod
    def of_mean(cls, source: Grid, count: int):
        """A mean of so many values."""
        return cls(source.step / count, count=count)

    @classmethod
    def of_weights(cls, source: Grid, ends, offset=0.0, *, end=127.0):
        """Products with weights.

        Args:
            source: Grid of the other factors.
            ends: The largest weight, or that of each channel, as it is in the file.
            offset: What is added.
            end: The integer for the largest weight.
        """
        scale, offset = tf.cast(ends, tf.float64) / end, tf.cast(offset, tf.float64)
        # The converter divides by the scales as they are before it stores them.
        bias = round_away(offset / (source.exact_step * scale))
        return cls(source.step * stored(scale), offset, bias)

    @classmethod
    def of_factors(cls, source: Grid, scale, shift=0.0):
        """Factors of which each is alone in its channel, on the end of the grid, and what is added."""
        return cls.of_weights(source, tf.abs(scale), shift)


@dataclass(frozen=True)
class Terms:
    """What an integer operator adds: two tensors on their grids; the second negated for a difference."""

    first: tf.Tensor
    second: tf.Tensor
    grids: tuple[Grid, Grid]


@dataclass(frozen=True)
class Operands:
    """Stands in `weights.results_through` for a layer that computes as the device does step by step.

    Attributes:
        grids: Those of the layer's inputs.
        target: That of its output; None where the layer knows it.
    """

    grids: tuple[Grid, ...]
    target: Grid | None = None

    def __call__(self, result, inputs):
        """Returns the result as it is."""
        return result


def operands_on_device(wrapper, training) -> Operands | None:
    """Returns the `Operands` of a layer where it has to compute as the device does, else None."""
    found = None if training else wrapper.in_evaluation()
    return found if isinstance(found, Operands) else None


def largest_weights(weight, rounding):
    """Returns the ends of the grids of a weight, flat: one, or one for each channel.

    Args:
        weight: The weight, rounded.
        rounding: Its `SymmetricWeights` or `LearnedSteps`.
    """
    if isinstance(rounding, LearnedSteps):
        return tf.reshape(rounding.scale(weight), [-1]) * largest_integer(rounding)
    return tf.reshape(tf.reduce_max(tf.abs(weight), axis=rounding.reduce_axes), [-1])


def largest_integer(rounding: SymmetricWeights):
    """Returns the integer at the end of the grid of a weight, as a float."""
    return 2.0 ** (rounding.num_bits - 1) - 1.0


def rescaled(result, sums: Sums, target: Grid):
    """Returns a result on the grid of its output: whole sums, brought to its scale in two roundings.

    Args:
        result: float32, not rounded; in half precision the sums are not to be found, so that it comes back.
        sums: What it consists of.
        target: Where it goes. Values beyond the ends are not cut off.
    """
    if result.dtype != tf.float32:
        return result
    exact, count = tf.cast(result, tf.float64), sums.count
    multiplier = sums.step * count / target.step
    # Of a channel of zeros only what is added counts, which a file holds far finer than the output's scale.
    is_fine = multiplier < _FINE
    one = tf.ones_like(multiplier)
    step, multiplier = (tf.where(is_fine, one, x) for x in (sums.step, multiplier))
    whole = tf.round((exact - sums.offset) / step) + sums.bias
    rounded = tf.where(is_fine, round_away(exact / target.step), requantized(whole, multiplier, count))
    return tf.cast(rounded * target.step, tf.float32)


def requantized(sums, multiplier, count=1):
    """Returns integers times a real number, rounded twice.

    Args:
        sums: Integers as float64, below 2**22.
        multiplier: float64, with the `count` still in it.
        count: How many sums a mean divides.
    """
    significand, exponent = multiplier_parts(multiplier)
    # A mean has the count in its multiplier, with as many bits more as that leaves room for.
    bits = count.bit_length() - 1
    significand, exponent = tf.floor(significand * 2.0**bits / count), exponent - bits
    right = tf.maximum(-exponent, 0.0)
    first = tf.floor(sums * (significand * 2.0 ** (exponent + right - 31.0)) + 0.5)
    return round_away(first * 2.0**-right)


def multiplier_parts(multiplier):
    """Returns `(significand, exponent)` of a positive number, which is `significand * 2**(exponent - 31)`."""
    exponent = tf.floor(tf.math.log(multiplier) / np.log(2.0) + 1e-12) + 1.0
    return tf.round(multiplier * 2.0 ** (31.0 - exponent)), exponent


def added(terms: Terms, target: Grid):
    """Returns the sum of two tensors on the grid of the output; beyond its ends nothing is cut off."""
    first, second = terms.first, terms.second
    if first.dtype != tf.float32:
        return first + second
    # Both are brought to twice the greater scale, with 20 bits more, and the sum to the output's.
    steps = [grid.step for grid in terms.grids]
    twice = 2.0 * tf.maximum(*steps)
    parts = [
        requantized_wide(grid.integers(x) * _ADDED_BITS, step / twice)
        for x, grid, step in zip((first, second), terms.grids, steps, strict=True)
    ]
    total = requantized_wide(parts[0] + parts[1], twice / (_ADDED_BITS * target.step))
    return tf.cast(total * target.step, tf.float32)


def requantized_wide(sums, multiplier):
    """As `requantized`, for integers below 2**31."""
    significand, exponent = multiplier_parts(tf.cast(multiplier, tf.float64))
    sums = sums * 2.0 ** tf.maximum(exponent, 0.0)
    return shift_right(high_mul(sums, significand), tf.maximum(-exponent, 0.0))


def rounded(quantizer, result, made_of: Sums | Terms | None, training):
    """Returns a result through a quantizer.

    Args:
        quantizer: Its range is that of the output.
        result: float32, not rounded.
        made_of: What it consists of, where it has to be rounded as on the device; else None.
        training: As given to the quantizer.
    """
    return quantizer(brought(result, made_of, Grid(quantizer)), training=training)


def brought(result, made_of: Sums | Terms | None, target: Grid):
    """Returns a result on the grid of its output, as it is where it is not known what it consists of."""
    if made_of is None:
        return result
    return added(made_of, target) if isinstance(made_of, Terms) else rescaled(result, made_of, target)


def directions(rows, grid: Grid):
    """Returns rows on a grid divided by their length, float32 in steps of 1/128."""
    return tf.cast(tf.minimum(unit_rows(grid.integers(rows)), 127.0) / 128.0, tf.float32)


def softmax(x, grid: Grid):
    """Returns the softmax over the last axis of values on a grid, float32 in steps of 1/256."""
    whole = tf.cast(grid.integers(x), tf.int32)
    real = tf.minimum(grid.step * 2.0**26, 2.0**31 - 1.0)
    distance = tf.reduce_max(whole, -1, keepdims=True) - whole
    exponentials = tf.gather(exp_table(*multiplier_parts(real)), distance)
    return tf.cast(tf.minimum(shares(exponentials, 8), 255.0) / 256.0, tf.float32)


def log_softmax(x, grid: Grid):
    """Returns the logarithm of the softmax over the last axis of values on a grid, in steps of 1/16."""
    whole = grid.integers(x)
    below = whole - tf.reduce_max(whole, -1, keepdims=True)
    significand, exponent = multiplier_parts(tf.minimum(grid.step * 2.0**26, 2.0**31 - 1.0))
    factor = significand * 2.0 ** (exponent - 31.0)
    value = log_shares(
        below,
        tf.gather(exp_table(significand, exponent), tf.cast(-below, tf.int32)),
        lambda distance: requantized_wide(distance, factor),
        lambda distance: requantized_wide(distance, 1.0 / factor),
        tf.floor(31.0 * 2.0 ** (26.0 - exponent)),
    )
    return tf.cast(tf.clip_by_value(value, -255.0, 0.0) / 16.0, tf.float32)


def within_int16(value):
    """Returns values limited to those of 16 bits."""
    return tf.clip_by_value(value, -32768.0, 32767.0)
