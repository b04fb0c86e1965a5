"""DEPTHWISE_CONV_2D with any depth multiplier."""

import numpy as np

from tflite_export.c.emit import emits, quantization
from tflite_export.c.ops.wide import wide
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

PLANE_BYTES = 1024  # a block of rows at a time where the plane of a channel would need more


@emits("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(node):
    """Returns the call of the int8 depthwise convolution."""
    if node.input(0).dtype in ("int16", "uint8"):
        return wide(node)
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
    upright, turned = (
        _plane(window, axes, zero_point=limits["input_zero_point"]) for axes in ((0, 1), (1, 0))
    )
    plane = turned if turned[1] < upright[1] else upright
    axes, _, planes = plane
    multiplier = len(bias) // window.input[2]
    params = {
        "planes": {**planes, "channels": window.input[2], "depth_multiplier": multiplier},
        **{key: limits[key] for key in ("output_zero_point", "output_min", "output_max")},
        "weights": Constant("weights", "int8_t", weights if axes == (0, 1) else weights.transpose(0, 2, 1)),
        "bias": Constant("bias", "int32_t", scaling.bias),
        "multiplier": Constant("multiplier", "int32_t", scaling.significand),
        "shift": Constant("shift", "uint8_t", scaling.shift),
    }
    kernel = "depthwise_conv_2d_3x3_int8"
    if window.filter != (3, 3) or window.dilation != (1, 1) or planes["stride_columns"] > 2:
        kernel = "depthwise_conv_2d_planes_int8"
        params |= {
            "filter_rows": window.filter[axes[0]],
            "filter_columns": window.filter[axes[1]],
            "dilation_rows": window.dilation[axes[0]],
            "dilation_columns": window.dilation[axes[1]],
        }
    return Call(
        kernel,
        params,
        (node.operand(0),),
        (node.result(),),
        scratch_bytes=2 * planes["pitch"] * planes["plane_rows"],
        overlaps=(Overlap(0, 0, 0, exact=True),) if multiplier == 1 else (),
    )


def _plane(window, axes, zero_point):
    """The axes that run down and along the plane of a channel, the pairs to compute, and its geometry."""
    (rows, columns), stride, pad = (
        [v[axis] for axis in axes] for v in (window.output, window.stride, window.pad)
    )
    reach = [(window.filter[axis] - 1) * window.dilation[axis] + 1 for axis in axes]
    if stride[1] == 1:
        columns += columns % 2
    pitch = (columns - 1) * stride[1] + reach[1]
    pitch += pitch % 2
    halo = max(0, reach[0] - stride[0])
    block = max(1, (PLANE_BYTES // (2 * pitch) - halo) // stride[0])
    # The rows after a block must lie below what the block writes where the output replaces the input.
    if block >= rows or halo < pad[0] or rows * stride[0] > window.input[axes[0]] + stride[0] - 1:
        block = rows
    geometry = {
        "transposed": int(axes == (1, 0)),
        "stride_rows": stride[0],
        "stride_columns": stride[1],
        "input_rows": window.input[axes[0]],
        "input_columns": window.input[axes[1]],
        "output_rows": rows,
        "output_columns": window.output[axes[1]],
        "pad_rows": pad[0],
        "pad_columns": pad[1],
        "pitch": pitch,
        "plane_rows": (block - 1) * stride[0] + reach[0],
        "block_rows": block,
        "halo_rows": halo,
        "zero_point": zero_point,
    }
    return axes, rows * (columns + 1) // 2, geometry
