"""SOFTMAX over the last dimension."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.program import Call, Constant
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import high_mul, quantize_multiplier
from tflite_export.fixed_point_functions import exp_on_negative_values

INTEGER_BITS = 5  # of the scaled distance from the maximum, a Q5.26 number


@emits("SOFTMAX")
def softmax(node):
    """Returns the call of the int8 softmax with its table of exponentials."""
    require_types(node, input_0="int8", output_0="int8")
    scale, zero_point = quantization(node.output())
    if (float(scale), zero_point) != (1 / 256, -128):
        raise UnsupportedError(f"an output scale of {scale} and zero point {zero_point}, not 1/256 and -128")
    real = min(node.options.beta * float(quantization(node.input(0))[0]) * (1 << 26), 2.0**31 - 1)
    exps = exp_table(quantize_multiplier(real))
    depth = node.input(0).shape[-1]
    params = {
        "rows": node.input(0).size // depth,
        "depth": depth,
        "exps_count": len(exps),
        "exps": Constant("exps", "int32_t", exps),
    }
    return Call("softmax_int8", params, (node.operand(0),), (node.result(),), overlaps=node.elementwise(0))


def exp_table(multiplier):
    """Returns `exp` of minus each distance from the maximum that is near enough to count, in Q0.31.

    Args:
        multiplier: What brings a distance to Q5.26, with a shift to the left.

    Example:
    >>> from tflite_export.c.ops.softmax import exp_table
    >>> from tflite_export.fixed_point import quantize_multiplier
    >>> exp_table(quantize_multiplier(0.5 * 2**26)).size
    63
    """
    farthest = int(((1 << INTEGER_BITS) - 1) * (1 << (31 - INTEGER_BITS)) / (1 << multiplier.shift))
    distance = np.arange(min(farthest, 255) + 1, dtype=np.int64)
    return exp_on_negative_values(high_mul(-distance << multiplier.shift, multiplier.significand))
