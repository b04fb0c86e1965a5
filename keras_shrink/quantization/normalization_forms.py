"""Layer, root mean square and group normalization as integer operators.

Each normalizes rows: the values that share a mean and a deviation. What remains, a factor and a shift
for each channel, is a depthwise convolution by 1, which is exact.

A short row is divided by its length, `x / |x| * sqrt(n)`: that operator sums squares in 32 bits and
roots them as precisely, whatever the row's deviation, but its result has the scale 1/128, which in a
row of n values is sqrt(n)/128 deviations. A long row takes another way: its sum of squares as a matrix
product, the inverse root of that, and a product.
"""

import math

import keras
import tensorflow as tf

from keras_shrink.quantization.depthwise_forms import depthwise
from keras_shrink.quantization.device_arithmetic import (
    Sums,
    Terms,
    directions,
    operands_on_device,
    rescaled,
    rounded,
)
from keras_shrink.quantization.integer_grid import Grid
from keras_shrink.quantization.ranges import FixedRange
from keras_shrink.weights import Transformed

LONGEST_SHORT_ROW = 128
LONGEST_ROW = 33_000  # 255 * 255 * n stays below 2**31
NEGLIGIBLE_EPSILON = 1e-5  # below the square of a step of 1/255 in activations of about 1
DIRECTION_RANGE = (-1.0, 127 / 128)


class NormalizedRows(Transformed):
    """A normalization over rows.

    Subclasses say which values make a row, `rows(x)`, which brings these along the last axis, and
    `values(rows, inputs)`, which brings those there that have a scale and a shift of their own.

    The layers of `inner` round, in turn, the mean and what it leaves (where it is subtracted), then for
    long rows the sum of squares, the same with epsilon, its inverse root and the product.
    """

    computes_as_device = True
    subtracts_mean = True

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.direction_range = FixedRange(*DIRECTION_RANGE, name="direction_range")

    @classmethod
    def inner_ranges(cls, row_length):
        """Returns how many values inside are rounded on observed ranges."""
        return 2 * cls.subtracts_mean + 4 * (row_length > LONGEST_SHORT_ROW)

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        device = operands_on_device(self, training)
        ranges = iter(self.inner)
        rows = self.rows(tf.cast(inputs, tf.float32))
        grid = None if device is None else device.grids[0]
        if self.subtracts_mean:
            rows, grid = _centered(rows, (next(ranges), next(ranges)), grid, training)
        length, ranges = rows.shape[-1], tuple(ranges)
        square = self.layer.epsilon * length
        if length > LONGEST_SHORT_ROW:
            unit, of_unit = _by_inverse_root(rows, square, ranges, grid, training), ranges[-1]
        else:
            unit, of_unit = self._direction(rows, square, grid, training), self.direction_range
        scale, shift = self.scale_and_shift()
        scale = scale * float(length) ** 0.5
        result = depthwise(self.values(unit, inputs), scale, shift)
        if device is not None:
            sums = Sums.of_factors(Grid(of_unit), scale, shift)
            result = rescaled(result, sums, device.target)
        return tf.cast(tf.reshape(result, [-1, *inputs.shape[1:]]), inputs.dtype)

    def _direction(self, rows, square, grid, training):
        """Returns rows divided by their length; what is added to the squares is one more value's square."""
        is_added = self.layer.epsilon > NEGLIGIBLE_EPSILON
        if is_added:
            value = square**0.5 if grid is None else grid.quantizer(tf.constant(square**0.5), training=False)
            ends = [[0, 0]] * (rows.shape.rank - 1) + [[0, 1]]
            rows = tf.pad(rows, ends, constant_values=value)
        if grid is None:
            unit = self.direction_range(tf.nn.l2_normalize(rows, axis=-1), training=training)
        else:
            unit = directions(rows, grid)
        return unit[..., :-1] if is_added else unit

    def scale_and_shift(self):
        """Returns what normalized values are multiplied with and what is added, one number per channel."""
        layer = self.layer
        scale = tf.reshape(tf.convert_to_tensor(layer.gamma), [-1]) if layer.scale else tf.constant(1.0)
        shift = tf.reshape(tf.convert_to_tensor(layer.beta), [-1]) if layer.center else tf.constant(0.0)
        return scale, shift


def _centered(rows, ranges, grid, training):
    """Returns rows less their means, and the grid that they are on then if they were on one."""
    of_mean, of_rest = ranges
    sums = None if grid is None else Sums.of_mean(grid, rows.shape[-1])
    mean = rounded(of_mean, tf.reduce_mean(rows, axis=-1, keepdims=True), sums, training)
    terms = None if grid is None else Terms(rows, -mean, (grid, Grid(of_mean)))
    return rounded(of_rest, rows - mean, terms, training), None if grid is None else Grid(of_rest)


def _by_inverse_root(rows, square, ranges, grid, training):
    """Returns `rows / sqrt(sum of squares + square)`; rows on a grid as a device does."""
    of_squares, of_total, of_inverse, of_product = ranges
    flat = tf.reshape(rows, [-1, 1, rows.shape[-1]])
    sums = None if grid is None else Sums.of_product(grid, grid)
    squares = rounded(of_squares, tf.matmul(flat, flat, transpose_b=True), sums, training)
    total = of_total(squares + square, training=training)
    # A device gives the largest value for the root of zero, as rounding to the range does here.
    inverse = of_inverse(tf.math.rsqrt(tf.maximum(total, square) if training else total), training=training)
    sums = None if grid is None else Sums.of_product(grid, Grid(of_inverse))
    return tf.reshape(rounded(of_product, flat * inverse, sums, training), [-1, *rows.shape[1:]])


@keras.saving.register_keras_serializable("keras_shrink")
class NormalizedLayer(NormalizedRows):
    """A LayerNormalization over the last axis or the last few."""

    def rows(self, x):
        """Returns `x` with the normalized axes as one."""
        count = len(self.layer.axis) if isinstance(self.layer.axis, list | tuple) else 1
        return x if count == 1 else tf.reshape(x, [-1, *x.shape[1:-count], math.prod(x.shape[-count:])])

    def values(self, rows, inputs):
        """Every value of a row has its own scale and shift."""
        return rows


@keras.saving.register_keras_serializable("keras_shrink")
class NormalizedRootMeanSquare(NormalizedLayer):
    """An RMSNormalization over the last axis."""

    subtracts_mean = False

    def scale_and_shift(self):
        """Returns the layer's scale and no shift."""
        return tf.reshape(tf.convert_to_tensor(self.layer.scale), [-1]), tf.constant(0.0)


@keras.saving.register_keras_serializable("keras_shrink")
class NormalizedGroups(NormalizedRows):
    """A GroupNormalization of channels that lie last."""

    def rows(self, x):
        """Returns each group of channels at all places as a row."""
        groups, channels = self._groups(x), x.shape[-1]
        places = tf.reshape(x, [-1, math.prod(x.shape[1:-1]), groups, channels // groups])
        if groups > 1:
            places = tf.transpose(places, [0, 2, 1, 3])
        return tf.reshape(places, [-1, groups, places.shape[-3 if groups == 1 else -2] * channels // groups])

    def values(self, rows, inputs):
        """Returns the channels at each place."""
        groups, channels = self._groups(inputs), inputs.shape[-1]
        if groups > 1:
            rows = tf.reshape(rows, [-1, groups, rows.shape[-1] * groups // channels, channels // groups])
            rows = tf.transpose(rows, [0, 2, 1, 3])
        return tf.reshape(rows, [-1, math.prod(inputs.shape[1:-1]), channels])

    def _groups(self, x):
        return x.shape[-1] if self.layer.groups == -1 else self.layer.groups


@keras.saving.register_keras_serializable("keras_shrink")
class UnitRows(Transformed):
    """A UnitNormalization over the last axis, which is one operator."""

    computes_as_device = True

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        device = operands_on_device(self, training)
        return tf.nn.l2_normalize(inputs, axis=-1) if device is None else directions(inputs, device.grids[0])
