"""MUL, with broadcasting."""

from tflite_export.c.broadcast import broadcast
from tflite_export.c.emit import emits, quantization
from tflite_export.c.program import Call
from tflite_export.c.requant import output_range, require_types
from tflite_export.fixed_point import quantize_multiplier


@emits("MUL")
def mul(node):
    """Returns the call of the product, int8 or int16."""
    dtype = node.output().dtype
    require_types(node, output_0=("int8", "int16"), input_0=dtype, input_1=dtype)
    (scale_1, zero_1), (scale_2, zero_2) = quantization(node.input(0)), quantization(node.input(1))
    multiplier = quantize_multiplier(float(scale_1) * float(scale_2) / float(quantization(node.output())[0]))
    params = {
        "shape": broadcast(node),
        "zero_point_1": zero_1,
        "zero_point_2": zero_2,
        **output_range(node, dtype),
        "output_shift": multiplier.shift,
        "output_multiplier": multiplier.significand,
    }
    operands = node.operand(0), node.operand(1)
    return Call(f"mul_{dtype}", params, operands, (node.result(),), overlaps=node.elementwise(0, 1))
