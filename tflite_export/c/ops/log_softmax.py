"""LOG_SOFTMAX over the last dimension."""

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.ops.softmax import INTEGER_BITS, exp_table
from tflite_export.c.program import Call, Constant
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import quantize_multiplier


@emits("LOG_SOFTMAX")
def log_softmax(node):
    """Returns the call of the int8 kernel with its table of exponentials."""
    require_types(node, input_0="int8", output_0="int8")
    scale, zero_point = quantization(node.output())
    if (float(scale), zero_point) != (1 / 16, 127):
        raise UnsupportedError(f"an output scale of {scale} and zero point {zero_point}, not 1/16 and 127")
    real = min(float(quantization(node.input(0))[0]) * (1 << (31 - INTEGER_BITS)), 2.0**31 - 1)
    multiplier = quantize_multiplier(real)
    inverse = quantize_multiplier(2.0 ** (31 - multiplier.shift) / multiplier.significand)
    exps = exp_table(multiplier)
    depth = node.input(0).shape[-1]
    params = {
        "rows": node.input(0).size // depth,
        "depth": depth,
        "exps_count": len(exps),
        "shift": multiplier.shift,
        "inverse_shift": inverse.shift,
        "multiplier": multiplier.significand,
        "inverse_multiplier": inverse.significand,
        "farthest": int(((1 << INTEGER_BITS) - 1) * (1 << (31 - INTEGER_BITS)) / (1 << multiplier.shift)),
        "exps": Constant("exps", "int32_t", exps),
    }
    return Call(
        "log_softmax_int8", params, (node.operand(0),), (node.result(),), overlaps=node.elementwise(0)
    )
