"""DEPTHWISE_CONV_2D with any depth multiplier."""

import numpy as np

from tflite_export.c.emit import emits, quantization
from tflite_export.c.pairs import prove_scaling
from tflite_export.c.program import Call, Constant, Overlap
from tflite_export.c.requant import (
    channel_multipliers,
    fold_zero_point,
    multiplier_fields,
    output_range,
    require_types,
)
from tflite_export.c.window import slide


@emits("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(node):
    """Returns the call of the int8 depthwise convolution."""
    require_types(node, input_0="int8", input_1=("int8", "int4"), input_2="int32", output_0="int8")
    weights = node.required(1, "weights")
    _, height, width, channels = weights.shape
    options = node.options
    window = slide(node, (height, width), dilation=(options.dilation_h_factor, options.dilation_w_factor))
    zero_point = quantization(node.input(0))[1]
    by_channel = np.moveaxis(weights[0], -1, 0)
    bias = fold_zero_point(by_channel, node.required(2, "bias") if node.has_input(2) else None, zero_point)
    multipliers = channel_multipliers(node.input(0), node.input(1), node.output(), channels)
    limits = {"input_zero_point": zero_point, **output_range(node)}
    call = _planes(node, window, limits, by_channel, bias, multipliers)
    if call:
        return call
    params = {
        "batches": window.batches,
        "input_height": window.input[0],
        "input_width": window.input[1],
        "input_channels": window.input[2],
        "output_height": window.output[0],
        "output_width": window.output[1],
        "filter_height": height,
        "filter_width": width,
        "depth_multiplier": channels // window.input[2],
        "stride_height": window.stride[0],
        "stride_width": window.stride[1],
        "dilation_height": window.dilation[0],
        "dilation_width": window.dilation[1],
        "pad_top": window.pad[0],
        "pad_left": window.pad[1],
        **limits,
        "weights": Constant("weights", "int8_t", weights),
        "bias": Constant("bias", "int32_t", bias),
        **multiplier_fields(*multipliers),
    }
    overlap = Overlap(0, 0, window.distance())
    return Call("depthwise_conv_2d_int8", params, (node.operand(0),), (node.result(),), overlaps=(overlap,))


def _planes(node, window, limits, by_channel, bias, multipliers):
    """The call of the kernel for planes, None where what it takes for granted does not hold."""
    scaling = prove_scaling(by_channel.reshape(len(bias), -1), bias, *multipliers, limits)
    if scaling is None or window.batches > 1:
        return None
    weights = np.array(by_channel)
    weights[scaling.constant] = 0
    upright, turned = (_plane(window, axes) for axes in ((0, 1), (1, 0)))
    transposed = turned["pairs"] < upright["pairs"]
    plane = turned if transposed else upright
    multiplier = len(bias) // window.input[2]
    plane.pop("pairs")
    params = {
        "transposed": int(transposed),
        "channels": window.input[2],
        "depth_multiplier": multiplier,
        **plane,
        **limits,
        "weights": Constant("weights", "int8_t", weights.transpose(0, 2, 1) if transposed else weights),
        "bias": Constant("bias", "int32_t", scaling.bias),
        "multiplier": Constant("multiplier", "int32_t", scaling.significand),
        "shift": Constant("shift", "uint8_t", scaling.shift),
    }
    return Call(
        "depthwise_conv_2d_planes_int8",
        params,
        (node.operand(0),),
        (node.result(),),
        scratch_bytes=2 * plane["pitch"] * plane["plane_rows"],
        overlaps=(Overlap(0, 0, 0, exact=True),) if multiplier == 1 else (),
    )


def _plane(window, axes):
    """Geometry of the plane of a channel when `axes[0]` runs down its rows, and the pairs to compute."""
    fields = {}
    for name, axis in zip(("rows", "columns"), axes, strict=True):
        fields |= {
            f"input_{name}": window.input[axis],
            f"output_{name}": window.output[axis],
            f"filter_{name}": window.filter[axis],
            f"stride_{name}": window.stride[axis],
            f"dilation_{name}": window.dilation[axis],
            f"pad_{name}": window.pad[axis],
        }
    rows, columns = (window.output[axis] for axis in axes)
    if fields["stride_columns"] == 1:
        columns += columns % 2
    reach = {
        name: (count - 1) * fields[f"stride_{name}"]
        + (fields[f"filter_{name}"] - 1) * fields[f"dilation_{name}"]
        + 1
        for name, count in (("rows", rows), ("columns", columns))
    }
    pitch = reach["columns"] + reach["columns"] % 2
    return {**fields, "pitch": pitch, "plane_rows": reach["rows"], "pairs": rows * (columns + 1) // 2}
