"""FULLY_CONNECTED with one scale for the weights or one for each unit."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.ops.wide import wide
from tflite_export.c.pairs import pack_pairs, prove_scaling
from tflite_export.c.program import ANYWHERE, Call, Constant, Overlap
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
    if node.input(0).dtype in ("int16", "uint8"):
        return wide(node)
    require_types(node, input_0="int8", input_1=("int8", "int4"), input_2="int32", output_0="int8")
    if node.options.weights_format != "DEFAULT":
        raise UnsupportedError(f"weights in the format {node.options.weights_format}")
    weights = node.required(1, "weights")
    units, depth = weights.shape
    zero_point = quantization(node.input(0))[1]
    bias = fold_zero_point(weights, node.required(2, "bias") if node.has_input(2) else None, zero_point)
    per_unit = node.input(1).quantization is not None and node.input(1).quantization.scale.size > 1
    significands, shifts = channel_multipliers(node.input(0), node.input(1), node.output(), units)
    multipliers = tuple(v if per_unit else v[:1] for v in (significands, shifts))
    shape = {
        "rows": node.input(0).size // depth,
        "depth": depth,
        "units": units,
        "per_unit": int(per_unit),
        **output_range(node),
    }
    call = _pairs(node, shape, np.asarray(weights), bias, (significands, shifts), per_unit)
    if call:
        return call
    params = {
        **shape,
        "weights": Constant("weights", "int8_t", weights),
        "bias": Constant("bias", "int32_t", bias),
        **multiplier_fields(*multipliers),
    }
    return Call("fully_connected_int8", params, (node.operand(0),), (node.result(),))


def _pairs(node, shape, weights, bias, multipliers, per_unit):
    """The call of the kernel for pairs of units, None where what it takes for granted does not hold."""
    scaling = prove_scaling(weights, bias, *multipliers, shape)
    if scaling is None or (scaling.constant.any() and not per_unit):
        return None
    filled = np.zeros((len(weights) + -len(weights) % 4, weights.shape[1]), np.int64)
    filled[: len(weights)] = weights
    numbers = pack_pairs(filled, np.append(scaling.constant, [False] * (len(filled) - len(weights))))
    if numbers is None:
        return None
    groups = numbers.shape[1]
    quads = numbers.reshape(-1, 2, groups, 4).transpose(0, 2, 1, 3)
    count = len(weights) if per_unit else 1
    params = {
        **shape,
        "groups": groups,
        "weights": Constant("weights", "int16_t", quads, align=4),
        "bias": Constant("bias", "int32_t", scaling.bias),
        "multiplier": Constant("multiplier", "int32_t", scaling.significand[:count]),
        "shift": Constant("shift", "uint8_t", scaling.shift[:count]),
    }
    overlaps = (Overlap(0, 0, ANYWHERE),) if shape["rows"] == 1 else ()
    return Call(
        "fully_connected_pairs_int8",
        params,
        (node.operand(0),),
        (node.result(),),
        scratch_bytes=8 * groups,
        overlaps=overlaps,
    )
