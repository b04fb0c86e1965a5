"""FULLY_CONNECTED with one scale for the weights or one for each unit."""

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.program import Call, Constant
from tflite_export.c.requant import (
    channel_multipliers,
    fold_zero_point,
    multiplier_fields,
    output_range,
    require_types,
)


@emits("FULLY_CONNECTED")
def fully_connected(node):
    """Returns the call of the int8 matrix product."""
    require_types(node, input_0="int8", input_1=("int8", "int4"), input_2="int32", output_0="int8")
    if node.options.weights_format != "DEFAULT":
        raise UnsupportedError(f"weights in the format {node.options.weights_format}")
    weights = node.required(1, "weights")
    units, depth = weights.shape
    zero_point = quantization(node.input(0))[1]
    bias = fold_zero_point(weights, node.required(2, "bias") if node.has_input(2) else None, zero_point)
    per_unit = node.input(1).quantization is not None and node.input(1).quantization.scale.size > 1
    significands, shifts = channel_multipliers(node.input(0), node.input(1), node.output(), units)
    params = {
        "rows": node.input(0).size // depth,
        "depth": depth,
        "units": units,
        "per_unit": int(per_unit),
        **output_range(node),
        "weights": Constant("weights", "int8_t", weights),
        "bias": Constant("bias", "int32_t", bias),
        **multiplier_fields(*(v if per_unit else v[:1] for v in (significands, shifts))),
    }
    return Call("fully_connected_int8", params, (node.operand(0),), (node.result(),))
