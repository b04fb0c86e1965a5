"""TRANSPOSE_CONV."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.program import Call, Constant
from tflite_export.c.requant import (
    channel_multipliers,
    fold_zero_point,
    multiplier_fields,
    output_range,
    require_types,
)


@emits("TRANSPOSE_CONV", reads=(1, 2, 3))
def transpose_conv(node):
    """Returns the call of the transposed convolution, int8 or int16."""
    dtype = node.output().dtype
    wide = dtype == "int16"
    require_types(node, output_0=("int8", "int16"), input_2=dtype, input_1="int8")
    require_types(node, input_3=("int64", "int16") if wide else "int32")
    weights = node.required(1, "weights")
    channels, height, width, depth = weights.shape
    source, target, options = node.input(2), node.output(), node.options
    bias = node.required(3, "bias") if node.has_input(3) else np.zeros(channels, np.int64)
    if not wide:
        bias = fold_zero_point(weights, bias, 0)
    pads = []
    for size, extent, stride in zip(
        target.shape[1:3], (height, width), (options.stride_h, options.stride_w), strict=True
    ):
        needed = (-(-size // stride) - 1) * stride + extent - size
        pads.append(max(0, needed) // 2 if options.padding == "SAME" else 0)
    significands, shifts = channel_multipliers(source, node.input(1), target, channels)
    if wide and shifts.max() > 7:
        raise UnsupportedError("an output scale out of proportion to its input's and weights'")
    params = {
        "batches": source.shape[0],
        "input_height": source.shape[1],
        "input_width": source.shape[2],
        "input_channels": depth,
        "output_height": target.shape[1],
        "output_width": target.shape[2],
        "output_channels": channels,
        "filter_height": height,
        "filter_width": width,
        "stride_height": options.stride_h,
        "stride_width": options.stride_w,
        "pad_top": pads[0],
        "pad_left": pads[1],
        "input_zero_point": quantization(source)[1],
        **output_range(node, dtype),
        "weights": Constant("weights", "int8_t", weights),
        "bias": Constant("bias", "int64_t" if wide else "int32_t", bias),
        **multiplier_fields(significands, shifts),
    }
    return Call(f"transpose_conv_{dtype}", params, (node.operand(2),), (node.result(),))
