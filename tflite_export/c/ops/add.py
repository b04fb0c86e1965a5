"""ADD and SUB, with broadcasting."""

from tflite_export.c.broadcast import broadcast
from tflite_export.c.emit import emits, quantization
from tflite_export.c.program import Call
from tflite_export.c.requant import output_range, require_types
from tflite_export.fixed_point import quantize_multiplier

EXTRA_BITS = {"int8": 20, "int16": 15}  # of the sum before it is brought to the output's scale


@emits("ADD", "SUB")
def add(node):
    """Returns the call of the sum or the difference, int8 or int16."""
    dtype = node.output().dtype
    require_types(node, output_0=("int8", "int16"), input_0=dtype, input_1=dtype)
    (scale_1, zero_1), (scale_2, zero_2) = quantization(node.input(0)), quantization(node.input(1))
    twice = 2 * float(max(scale_1, scale_2))
    first = quantize_multiplier(float(scale_1) / twice)
    second = quantize_multiplier(float(scale_2) / twice)
    last = quantize_multiplier(twice / ((1 << EXTRA_BITS[dtype]) * float(quantization(node.output())[0])))
    params = {
        "shape": broadcast(node),
        "zero_point_1": zero_1,
        "zero_point_2": zero_2,
        **output_range(node, dtype),
        "shift_1": first.shift,
        "shift_2": second.shift,
        "output_shift": last.shift,
        "multiplier_1": first.significand,
        "multiplier_2": second.significand,
        "output_multiplier": last.significand,
    }
    operands = node.operand(0), node.operand(1)
    kernel = f"{node.op.code.lower()}_{dtype}"
    return Call(kernel, params, operands, (node.result(),), overlaps=node.elementwise(0, 1))
