"""LOGISTIC and TANH."""

import math

import numpy as np

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.lookup import lookup
from tflite_export.c.program import Call, Constant
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import quantize_multiplier, requantize, rounding_shift_right
from tflite_export.fixed_point_functions import logistic as logistic_of
from tflite_export.fixed_point_functions import tanh as tanh_of

INTEGER_BITS = 4  # of the rescaled int8 input


@emits("LOGISTIC", "TANH")
def logistic(node):
    """Returns a table for int8, an interpolation for int16."""
    require_types(node, input_0=("int8", "int16"), output_0=node.input(0).dtype)
    if node.input(0).dtype == "int16":
        return _int16(node)
    scale, zero_point = quantization(node.input(0))
    is_tanh = node.op.code == "TANH"
    _require_scale(node, 7 if is_tanh else 8, 0 if is_tanh else -128)
    multiplier = quantize_multiplier(float(scale) * (1 << (31 - INTEGER_BITS)))
    radius = math.floor(((1 << INTEGER_BITS) - 1) * (1 << (31 - INTEGER_BITS)) / 2.0**multiplier.shift)

    def function(x):
        x = x - zero_point
        inside = np.abs(x) < radius
        rescaled = requantize(np.where(inside, x, 0), multiplier)
        if is_tanh:
            value = rounding_shift_right(tanh_of(rescaled, INTEGER_BITS), 31 - 7)
        else:
            value = rounding_shift_right(logistic_of(rescaled, INTEGER_BITS), 31 - 8) - 128
        return np.where(inside, value, np.where(x < 0, -128, 127))

    return lookup(node, function)


def _require_scale(node, bits, zero_point):
    scale, actual = quantization(node.output())
    if abs(math.log2(float(scale)) + bits) > 1e-3 or actual != zero_point:
        raise UnsupportedError(
            f"an output scale of {scale} and zero point {actual}, not 2**-{bits} and {zero_point}"
        )


def _int16(node):
    """The call of the int16 kernel, which interpolates in a table of the logistic function."""
    _require_scale(node, 15, 0)
    scale, zero_point = quantization(node.input(0))
    if zero_point:
        raise UnsupportedError("an int16 input with a zero point other than 0")
    multiplier, shift = input_rescaling(scale, 1 if node.op.code == "TANH" else 0)
    params = {
        "count": node.output().size,
        "multiplier": multiplier,
        "shift": shift,
        "table": Constant("table", "uint16_t", sigmoid_table()),
    }
    kernel = f"{node.op.code.lower()}_int16"
    return Call(kernel, params, (node.operand(0),), (node.result(),), overlaps=node.elementwise(0))


def input_rescaling(scale, most_left):
    """Returns the factor and the right shift that bring an int16 input to units of 1 / (3 * 4096).

    Args:
        scale: Of the input.
        most_left: Largest left shift for which a power-of-two scale is taken as it is.
    """
    exponent = math.log(float(np.float32(scale))) / math.log(2.0)
    left = 12 + round(exponent)
    if abs(exponent - round(exponent)) < 1e-3 and 0 <= left <= most_left:
        return 3 << left, 0
    real, shift = float(np.float32(scale)) * 4096.0 * 3.0, 0
    while real <= 32767.0 / 2.0 and shift <= 30:
        real, shift = real * 2.0, shift + 1
    return int(real), shift


def sigmoid_table():
    """Returns the logistic function at 256 points 1/24 apart in Q0.16.

    Each is raised by half of what linear interpolation loses beside it.

    Example:
    >>> from tflite_export.c.ops.logistic import sigmoid_table
    >>> sigmoid_table()[:5].tolist()
    [32768, 33451, 34133, 34813, 35493]
    """
    step = 1 / 24
    value = 1.0 / (1.0 + np.exp(-np.arange(256) * step))
    curvature = value * (1.0 - value) * (1.0 - 2.0 * value)
    table = np.round(65536.0 * (value - curvature * step**2 / 16)).astype(np.int64)
    table[-1] = 65535
    return table
