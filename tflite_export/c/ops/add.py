"""ADD and SUB, with broadcasting."""

from tflite_export.c.broadcast import broadcast
from tflite_export.c.emit import emits, quantization
from tflite_export.c.program import Call
from tflite_export.c.requant import output_range, require_types
from tflite_export.fixed_point import Multiplier, quantize_multiplier

EXTRA_BITS = {"int8": 20, "int16": 15}  # of the sum before it is brought to the output's scale


@emits("ADD", "SUB")
def add(node):
    """Returns the call of the sum or the difference, int8 or int16."""
    dtype = node.output().dtype
    require_types(node, output_0=("int8", "int16"), input_0=dtype, input_1=dtype)
    zero_1, zero_2 = quantization(node.input(0))[1], quantization(node.input(1))[1]
    first, second, last = rescalings(node)
    if node.op.code == "ADD" and dtype == "int8":
        call = _flat(node, (zero_1, zero_2), (first, second), last)
        if call:
            return call
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


def rescalings(node):
    """Returns what brings each operand to the finer scale of the sum, and the sum to the output's."""
    scale_1, scale_2 = quantization(node.input(0))[0], quantization(node.input(1))[0]
    twice = 2 * float(max(scale_1, scale_2))
    extra = 1 << EXTRA_BITS[node.output().dtype]
    return (
        quantize_multiplier(float(scale_1) / twice),
        quantize_multiplier(float(scale_2) / twice),
        quantize_multiplier(twice / (extra * float(quantization(node.output())[0]))),
    )


def _flat(node, zero_points, shares, last):
    """The call of the kernel for two activations of one shape, None where it cannot serve."""
    output = output_range(node)
    whole = Multiplier(1 << 30, 0)  # one half: what the input of the greater scale gets
    wide = 0 if shares[0] == whole else 1
    narrow = 1 - wide
    rounding = abs(2 * output["output_zero_point"] + 1) << max(0, -last.shift - 1)
    if (
        any(node.constant(i) is not None or node.input(i).shape != node.output().shape for i in (0, 1))
        or shares[wide] != whole
        or not -30 <= shares[narrow].shift <= -1
        or not shares[narrow].significand
        or not -30 <= last.shift <= -1
        or not last.significand
        or (last.significand >> 3) + 1 + rounding >= 1 << 31
    ):
        return None
    params = {
        "count": node.output().size,
        "wide_offset": -zero_points[wide] << 19,
        "narrow_offset": -zero_points[narrow] << 21,
        "narrow_multiplier": shares[narrow].significand,
        "output_multiplier": last.significand,
        "narrow_shift": -shares[narrow].shift,
        "output_shift": -last.shift,
        **output,
    }
    operands = node.operand(wide), node.operand(narrow)
    return Call("add_flat_int8", params, operands, (node.result(),), overlaps=node.elementwise(0, 1))
