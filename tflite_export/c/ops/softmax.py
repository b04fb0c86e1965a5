"""SOFTMAX over the last dimension."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.program import Call, Constant
from tflite_export.fixed_point import high_mul, quantize_multiplier, round_half_away
from tflite_export.fixed_point_functions import exp_on_negative_values

INTEGER_BITS = 5  # of the scaled distance from the maximum, a Q5.26 number
FEW = 64  # values whose exponentials are computed rather than looked up
CODE_BYTES = 400  # about what computing them takes

OUTPUTS = {  # (input, output) -> kernel, scale and zero point of the output
    ("int8", "int8"): ("softmax_int8", 1 / 256, -128),
    ("int8", "int16"): ("softmax_int8_int16", 1 / 65536, -32768),
    ("uint8", "uint8"): ("softmax_uint8", 1 / 256, 0),
    ("int16", "int16"): ("softmax_int16", 1 / 32768, 0),
}


@emits("SOFTMAX")
def softmax(node):
    """Returns the call of a softmax, with a table of exponentials where there are many values."""
    kinds = node.input(0).dtype, node.output().dtype
    if kinds not in OUTPUTS:
        raise UnsupportedError(f"from {kinds[0]} to {kinds[1]}")
    kernel, wanted, wanted_zero = OUTPUTS[kinds]
    scale, zero_point = quantization(node.output())
    if abs(float(scale) / wanted - 1) > 1e-3 or zero_point != wanted_zero:
        raise UnsupportedError(f"an output scale of {scale} and zero point {zero_point}")
    depth = node.input(0).shape[-1]
    params = {"rows": node.input(0).size // depth, "depth": depth}
    real = node.options.beta * float(quantization(node.input(0))[0])
    if kinds[0] == "int16":
        params |= _int16_tables(quantize_multiplier(real / (10.0 / 65535.0)))
    else:
        multiplier = quantize_multiplier(min(real * (1 << 26), 2.0**31 - 1))
        exps = Constant("exps", "int32_t", exp_table(multiplier))
        params |= {"exps_count": len(exps.values)}
        if kernel == "softmax_int8" and node.input(0).size <= FEW and exps.size_bytes > CODE_BYTES:
            kernel = "softmax_tableless_int8"
            params |= {"multiplier": multiplier.significand, "shift": multiplier.shift}
        else:
            params |= {"exps": exps}
    return Call(kernel, params, (node.operand(0),), (node.result(),), overlaps=node.elementwise(0))


def _int16_tables(multiplier):
    """The fields of the int16 kernel: how to scale distances, and two tables of 513 values."""
    exps = interpolation_table(lambda x: np.exp(x.astype(np.float64)).astype(np.float32), -10.0, 0.0)
    reciprocals = interpolation_table(lambda x: 1 / (1 + x), 0.0, 1.0)
    return {
        "multiplier": multiplier.significand,
        "shift": multiplier.shift,
        "exps": Constant("exps", "int16_t", exps),
        "reciprocals": Constant("reciprocals", "int16_t", reciprocals),
    }


def interpolation_table(function, low, high):
    """Returns 513 values in Q0.15 of a function over an interval, shifted to halve the error between them.

    Args:
        function: From float32 arrays to float32 arrays.
        low: Where the interval begins.
        high: Where it ends.

    Example:
    >>> from tflite_export.c.ops.softmax import interpolation_table
    >>> interpolation_table(lambda x: 1.0 / (1.0 + x), 0.0, 1.0)[[0, 512]].tolist()
    [32767, 16384]
    """
    single = np.float32  # the runtime's tables are made in float32, which decides some halves
    step = single((high - low) / 512)
    places = single(low) + np.arange(513, dtype=single) * step
    values = function(places) * single(32768)
    middle = round_half_away(function(places[:-1] + step / 2) * single(32768))
    sample = round_half_away(values)
    between = round_half_away((values[1:] + sample[:-1].astype(single)) / 2)
    table = np.append(sample[:-1] - round_half_away((between - middle) / 2), sample[-1])
    return np.clip(table, -32768, 32767).astype(np.int64)


def exp_table(multiplier):
    """Returns `exp` of minus each distance from the maximum that is near enough to count, in Q0.31.

    Args:
        multiplier: What brings a distance to Q5.26, with a shift to the left.

    Example:
    >>> from tflite_export.c.ops.softmax import exp_table
    >>> from tflite_export.fixed_point import quantize_multiplier
    >>> exp_table(quantize_multiplier(0.5 * 2**26)).size
    32
    """
    farthest = int(((1 << INTEGER_BITS) - 1) * (1 << (31 - INTEGER_BITS)) / (1 << multiplier.shift))
    distance = np.arange(min(farthest, 255) + 1, dtype=np.int64)
    return exp_on_negative_values(high_mul(-distance << multiplier.shift, multiplier.significand))
