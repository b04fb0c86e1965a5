"""LEAKY_RELU."""

import numpy as np

from tflite_export.c.emit import emits, quantization
from tflite_export.c.lookup import lookup
from tflite_export.c.program import Call
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import Multiplier, quantize_multiplier, requantize


@emits("LEAKY_RELU")
def leaky_relu(node):
    """Returns a table for int8, two rescalings for int16."""
    require_types(node, input_0=("int8", "int16"), output_0=node.input(0).dtype)
    (scale, zero_point), (out_scale, out_zero) = quantization(node.input(0)), quantization(node.output())
    slope = float(scale) * float(np.float32(node.options.alpha)) / float(out_scale)
    positive = quantize_multiplier(float(scale) / float(out_scale))
    negative = quantize_multiplier(abs(slope))
    sign = -1 if slope < 0 else 1
    if node.input(0).dtype == "int8":

        def function(x):
            x = x - zero_point
            return out_zero + np.where(x >= 0, requantize(x, positive), sign * requantize(x, negative))

        return lookup(node, function)
    negative = Multiplier(sign * negative.significand, negative.shift)
    params = {
        "count": node.output().size,
        "input_zero_point": zero_point,
        "output_zero_point": out_zero,
        "positive_multiplier": positive.significand,
        "positive_shift": positive.shift,
        "negative_multiplier": negative.significand,
        "negative_shift": negative.shift,
    }
    return Call(
        "leaky_relu_int16", params, (node.operand(0),), (node.result(),), overlaps=node.elementwise(0)
    )
