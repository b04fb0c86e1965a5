"""Operators on two tensors that broadcast."""

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.arithmetic import every, look_up, reach, requantize, saturate, wide
from keras_shrink.simulation.kernel import emitted, simulates
from tflite_export import fixed_point
from tflite_export.c.emit import quantization
from tflite_export.c.ops.add import EXTRA_BITS, rescalings
from tflite_export.c.requant import output_range, require_types
from tflite_export.fixed_point import Multiplier


@simulates("ADD", "SUB")
def add(node):
    """The sum or the difference on a finer scale, brought to the output's."""
    dtype = _dtype(node)
    first, second, last = rescalings(node)
    terms = [_term(node, i, factor, EXTRA_BITS[dtype]) for i, factor in enumerate((first, second))]
    finish = _finish(node, last, sum(int(np.abs(term).max()) for term in terms))
    sign = 1.0 if node.op.code == "ADD" else -1.0

    def run(operands):
        a, b = (look_up(term, operands.aligned(i), dtype) for i, term in enumerate(terms))
        return finish(a + sign * b)

    return run


@simulates("SQUARED_DIFFERENCE")
def squared_difference(node):
    """The square of the difference, each on the finer scale of a sum."""
    dtype, p = _dtype(node), emitted(node).params
    factors = [Multiplier(p[f"multiplier_{i}"], p[f"shift_{i}"]) for i in (1, 2)]
    terms = [_term(node, i, factor, p["left_shift"]) for i, factor in enumerate(factors)]
    bound = sum(int(np.abs(term).max()) for term in terms) ** 2
    finish = _finish(node, Multiplier(p["output_multiplier"], p["output_shift"]), bound)

    def run(operands):
        a, b = (look_up(term, operands.aligned(i), dtype) for i, term in enumerate(terms))
        return finish(tf.square(a - b))

    return run


@simulates("MUL")
def mul(node):
    """The product, brought to the output's scale."""
    dtype, p = _dtype(node), emitted(node).params
    zeros = [p["zero_point_1"], p["zero_point_2"]]
    bound = reach(dtype, zeros[0]) * reach(dtype, zeros[1])
    finish = _finish(node, Multiplier(p["output_multiplier"], p["output_shift"]), bound)

    def run(operands):
        a, b = (wide(operands.aligned(i)) - zero for i, zero in enumerate(zeros))
        return finish(a * b)

    return run


@simulates("PRELU")
def prelu(node):
    """What is positive is brought to the output's scale, what is negative is multiplied by its slope too."""
    dtype, p = node.output().dtype, emitted(node).params
    zero, slope_zero, low = p["zero_point_1"], p["zero_point_2"], fixed_point.LIMITS[dtype][0]
    positive = Multiplier(p["positive_multiplier"], p["positive_shift"])
    above = fixed_point.requantize(np.maximum(every(dtype) - zero, 0), positive).astype(np.float64)
    bound = max(zero - low, 0) * reach("int8", slope_zero)

    def run(operands):
        x = operands.aligned(0)
        value = wide(x) - zero
        product = tf.minimum(value, 0.0) * (wide(operands.aligned(1)) - slope_zero)
        below = requantize(product, p["negative_multiplier"], p["negative_shift"], bound)
        total = tf.where(value >= 0, look_up(above, x, dtype), below)
        return saturate(total + p["output_zero_point"], dtype)

    return run


@simulates("MINIMUM", "MAXIMUM")
def minimum(node):
    """The smaller or the larger of two integers."""
    emitted(node)
    choose = tf.minimum if node.op.code == "MINIMUM" else tf.maximum
    return lambda operands: choose(operands.aligned(0), operands.aligned(1))


def _dtype(node):
    dtype = node.output().dtype
    require_types(node, output_0=("int8", "int16"), input_0=dtype, input_1=dtype)
    return dtype


def _term(node, position, factor, extra_bits):
    """What each value of an operand contributes, as float64."""
    zero_point = quantization(node.input(position))[1]
    shifted = (every(node.output().dtype) - zero_point) << extra_bits
    return fixed_point.requantize(shifted, factor).astype(np.float64)


def _finish(node, factor, bound):
    """The last step: to the output's scale, and within its range."""
    dtype = node.output().dtype
    p = output_range(node, dtype)

    def finish(value):
        total = requantize(value, *factor, bound) + p["output_zero_point"]
        return saturate(total, dtype, p["output_min"], p["output_max"])

    return finish
