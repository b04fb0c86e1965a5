"""CONV_2D: dense, grouped and dilated."""

from tflite_export.c.emit import emits, quantization
from tflite_export.c.ops.wide import wide
from tflite_export.c.pairs import even_length, pack_pairs, prove_scaling
from tflite_export.c.program import Call, Constant, Overlap
from tflite_export.c.requant import (
    channel_multipliers,
    fold_zero_point,
    multiplier_fields,
    output_range,
    require_types,
)
from tflite_export.c.window import slide


@emits("CONV_2D")
def conv_2d(node):
    """Returns the call of the int8 convolution."""
    if node.input(0).dtype in ("int16", "uint8"):
        return wide(node)
    require_types(node, input_0="int8", input_1=("int8", "int4"), input_2="int32", output_0="int8")
    weights = node.required(1, "weights")
    channels, height, width, depth = weights.shape
    options = node.options
    window = slide(node, (height, width), dilation=(options.dilation_h_factor, options.dilation_w_factor))
    zero_point = quantization(node.input(0))[1]
    bias = fold_zero_point(weights, node.required(2, "bias") if node.has_input(2) else None, zero_point)
    multipliers = channel_multipliers(node.input(0), node.input(1), node.output(), channels)
    geometry = {
        "batches": window.batches,
        "input_height": window.input[0],
        "input_width": window.input[1],
        "input_channels": window.input[2],
        "output_height": window.output[0],
        "output_width": window.output[1],
        "output_channels": channels,
        "filter_height": height,
        "filter_width": width,
        "stride_height": window.stride[0],
        "stride_width": window.stride[1],
        "dilation_height": window.dilation[0],
        "dilation_width": window.dilation[1],
        "pad_top": window.pad[0],
        "pad_left": window.pad[1],
        "input_zero_point": zero_point,
        **output_range(node),
    }
    if window.input[2] == depth:
        call = _pairs(node, window, geometry, weights.reshape(channels, -1), bias, multipliers)
        if call:
            return call
    params = {
        **geometry,
        "groups": window.input[2] // depth,
        "weights": Constant("weights", "int8_t", weights),
        "bias": Constant("bias", "int32_t", bias),
        **multiplier_fields(*multipliers),
    }
    overlap = Overlap(0, 0, window.distance())
    return Call("conv_2d_int8", params, (node.operand(0),), (node.result(),), overlaps=(overlap,))


def _pairs(node, window, geometry, weights, bias, multipliers):
    """The call of the kernel for pairs of channels, None where what it takes for granted does not hold."""
    scaling = prove_scaling(weights, bias, *multipliers, geometry)
    numbers = pack_pairs(weights, scaling.constant) if scaling else None
    if numbers is None:
        return None
    groups = numbers.shape[1]
    params = {
        **geometry,
        "output_pitch": geometry["output_channels"],
        "groups": groups,
        "weights": Constant("weights", "int16_t", numbers, align=4),
        "bias": Constant("bias", "int32_t", even_length(scaling.bias, 0)),
        "multiplier": Constant("multiplier", "int32_t", even_length(scaling.significand, 1 << 30)),
        "shift": Constant("shift", "uint8_t", even_length(scaling.shift, 1)),
    }
    distance = max(window.distance(pixels=pixels, ahead=True) for pixels in (1, 3))  # portable, DSP
    return Call(
        "conv_2d_pairs_int8",
        params,
        (node.operand(0),),
        (node.result(),),
        scratch_bytes=max(28 * groups, 48 * -(-groups // 4) + 4 * groups),  # DSP; vectors
        overlaps=(Overlap(0, 0, distance),),
    )
