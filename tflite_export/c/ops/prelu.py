"""PRELU, with broadcasting of the slopes."""

from tflite_export.c.broadcast import broadcast
from tflite_export.c.emit import emits, quantization
from tflite_export.c.program import Call
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import quantize_multiplier


@emits("PRELU")
def prelu(node):
    """Returns the call of the rectifier with a slope for each element; int8 slopes for int16 data too."""
    dtype = node.output().dtype
    require_types(node, output_0=("int8", "int16"), input_0=dtype, input_1="int8")
    (scale, zero_1), (slope_scale, zero_2) = quantization(node.input(0)), quantization(node.input(1))
    out_scale, out_zero = quantization(node.output())
    positive = quantize_multiplier(float(scale) / float(out_scale))
    negative = quantize_multiplier(float(scale) * float(slope_scale) / float(out_scale))
    params = {
        "shape": broadcast(node),
        "zero_point_1": zero_1,
        "zero_point_2": zero_2,
        "output_zero_point": out_zero,
        "positive_shift": positive.shift,
        "negative_shift": negative.shift,
        "positive_multiplier": positive.significand,
        "negative_multiplier": negative.significand,
    }
    operands = node.operand(0), node.operand(1)
    return Call(f"prelu_{dtype}", params, operands, (node.result(),), overlaps=node.elementwise(0, 1))
