"""L2_NORMALIZATION over the last dimension."""

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.program import Call
from tflite_export.c.requant import require_types


@emits("L2_NORMALIZATION")
def l2_normalization(node):
    """Returns the call of the int8 kernel."""
    require_types(node, input_0="int8", output_0="int8")
    scale, out_zero = quantization(node.output())
    if (float(scale), out_zero) != (1 / 128, 0):
        raise UnsupportedError(f"an output scale of {scale} and zero point {out_zero}, not 1/128 and 0")
    depth = node.input(0).shape[-1]
    if depth > 33000:
        raise UnsupportedError(f"rows of {depth} values: the sum of their squares could leave 32 bits")
    params = {
        "rows": node.input(0).size // depth,
        "depth": depth,
        "input_zero_point": quantization(node.input(0))[1],
    }
    operands = (node.operand(0),), (node.result(),)
    return Call("l2_normalization_int8", params, *operands, overlaps=node.elementwise(0))
