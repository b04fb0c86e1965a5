"""ABS, NEG, SQRT and RSQRT."""

import numpy as np

from tflite_export.c.emit import emits, quantization
from tflite_export.c.lookup import lookup
from tflite_export.c.program import Call
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import (
    Multiplier,
    quantize_multiplier,
    requantize,
    round_half_away,
)
from tflite_export.fixed_point_functions import inverse_sqrt

EXTRA_BITS = 20  # RSQRT's intermediate value has these more


@emits("ABS")
def absolute(node):
    """Returns a table for int8, a rescaling for int16."""
    require_types(node, input_0=("int8", "int16"), output_0=node.input(0).dtype)
    (scale, zero_point), (out_scale, out_zero) = quantization(node.input(0)), quantization(node.output())
    multiplier = Multiplier(1 << 30, 1)  # one, exactly
    if scale != out_scale:
        multiplier = quantize_multiplier(float(scale) / float(out_scale))
    if node.input(0).dtype == "int8":
        return lookup(node, lambda x: requantize(np.abs(x - zero_point), multiplier) + out_zero)
    params = {
        "count": node.output().size,
        "input_zero_point": zero_point,
        "output_zero_point": out_zero,
        "multiplier": multiplier.significand,
        "shift": multiplier.shift,
    }
    return Call("abs_int16", params, (node.operand(0),), (node.result(),), overlaps=node.elementwise(0))


@emits("NEG", "SQRT")
def rounded(node):
    """Returns a table of the real function, rounded to nearest: TFLM has no integer form of these."""
    require_types(node, input_0="int8", output_0="int8")
    (scale, zero_point), (out_scale, out_zero) = quantization(node.input(0)), quantization(node.output())
    negative = node.op.code == "NEG"

    def function(x):
        real = float(scale) * (x - zero_point)
        real = -real if negative else np.sqrt(np.maximum(real, 0))
        return round_half_away(real / float(out_scale)) + out_zero

    return lookup(node, function)


@emits("RSQRT")
def rsqrt(node):
    """Returns a table; zero and what lies below it give the largest value."""
    require_types(node, input_0="int8", output_0="int8")
    (scale, zero_point), (out_scale, out_zero) = quantization(node.input(0)), quantization(node.output())
    multiplier = quantize_multiplier(1.0 / (float(scale) ** 0.5 * float(out_scale)))

    def one(x):
        x = int(x) - zero_point
        if x <= 0:
            return 127
        root = inverse_sqrt(x)
        value = requantize(1, Multiplier(root.significand, root.shift + EXTRA_BITS))
        return (
            int(requantize(value, Multiplier(multiplier.significand, multiplier.shift - EXTRA_BITS)))
            + out_zero
        )

    return lookup(node, lambda values: np.array([one(v) for v in values]))
