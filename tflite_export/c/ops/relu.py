"""RELU and RELU6 that were not fused into the operator before them."""

import numpy as np

from tflite_export.c.emit import emits, quantization
from tflite_export.c.lookup import lookup
from tflite_export.c.program import Call
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import LIMITS, quantize, quantize_multiplier, requantize


@emits("RELU")
def relu(node):
    """Returns a table for int8, a rescaling with a floor for int16."""
    require_types(node, input_0=("int8", "int16"), output_0=node.input(0).dtype)
    (scale, zero_point), (out_scale, out_zero) = quantization(node.input(0)), quantization(node.output())
    multiplier = quantize_multiplier(float(scale) / float(out_scale))
    if node.input(0).dtype == "int8":
        return lookup(node, lambda x: np.maximum(out_zero + requantize(x - zero_point, multiplier), out_zero))
    params = {
        "count": node.output().size,
        "input_zero_point": zero_point,
        "output_zero_point": out_zero,
        "output_min": max(out_zero, LIMITS["int16"][0]),
        "multiplier": multiplier.significand,
        "shift": multiplier.shift,
    }
    return Call("relu_int16", params, (node.operand(0),), (node.result(),), overlaps=node.elementwise(0))


@emits("RELU6")
def relu6(node):
    """Returns a table for int8, a clamp for int16: TFLM ignores the output's own scale, and so does this."""
    require_types(node, input_0=("int8", "int16"), output_0=node.input(0).dtype)
    scale, zero_point = quantization(node.input(0))
    low, high = LIMITS[node.input(0).dtype]
    top = min(high, max(low, quantize(6.0, scale, zero_point)))
    if node.input(0).dtype == "int8":
        return lookup(node, lambda x: np.clip(x, zero_point, max(top, zero_point)))
    params = {"count": node.output().size, "low": zero_point, "high": top}
    return Call("clamp_int16", params, (node.operand(0),), (node.result(),), overlaps=node.elementwise(0))
