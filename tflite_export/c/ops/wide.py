"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED on int16 and uint8 data: one kernel for all three."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, quantization
from tflite_export.c.program import Call, Constant, Overlap
from tflite_export.c.requant import channel_multipliers, multiplier_fields, output_range, require_types
from tflite_export.c.window import Window, slide
from tflite_export.fixed_point import INT32_MAX, quantize_multiplier


def wide(node):
    """Returns the call of the portable kernel for int16 data with int8 weights, or for legacy uint8 data.

    Args:
        node: The operator; input 1 is the weights, input 2 the bias.
    """
    if node.input(0).dtype == "uint8":
        return _uint8(node)
    require_types(node, input_0="int16", input_1="int8", input_2=("int32", "int64"), output_0="int16")
    weights, window, groups = filters(node)
    if quantization(node.input(0))[1] or quantization(node.output())[1]:
        raise UnsupportedError("int16 data with a zero point other than 0")
    channels = len(weights)
    bias = node.required(2, "bias") if node.has_input(2) else np.zeros(channels, np.int64)
    declared = getattr(node.options, "quantized_bias_type", "float32")
    narrow = node.input(2).dtype == "int32" if node.has_input(2) else declared == "int32"
    significands, shifts = channel_multipliers(node.input(0), node.input(1), node.output(), channels)
    bound = int(np.abs(bias.astype(np.int64)).max() + 32768 * _reach(weights))
    if bound > (INT32_MAX if narrow else (1 << 47) - 1):
        raise UnsupportedError(f"its accumulator could reach {bound}")
    if not narrow and shifts.max() > 7:
        raise UnsupportedError("an output scale out of proportion to its input's and weights'")
    params = {
        **_geometry(window, groups, channels),
        "narrow": int(narrow),
        **output_range(node, "int16"),
        "weights": Constant("weights", "int8_t", weights),
        "bias": Constant("bias", "int64_t", bias),
        **multiplier_fields(significands, shifts),
    }
    overlap = Overlap(0, 0, 2 * window.distance())
    return Call("conv_2d_int16", params, (node.operand(0),), (node.result(),), overlaps=(overlap,))


def _uint8(node):
    require_types(node, input_1="uint8", input_2="int32", output_0="uint8")
    weights, window, groups = filters(node)
    (scale, zero_point), (weight_scale, weight_zero) = (
        quantization(node.input(0)),
        quantization(node.input(1)),
    )
    multiplier = quantize_multiplier(
        float(scale) * float(weight_scale) / float(quantization(node.output())[0])
    )
    bias = node.required(2, "bias") if node.has_input(2) else np.zeros(len(weights), np.int64)
    bound = int(np.abs(bias.astype(np.int64)).max() + 255 * _reach(weights.astype(np.int64) - weight_zero))
    if bound > INT32_MAX:
        raise UnsupportedError(f"its accumulator could reach {bound}")
    params = {
        **_geometry(window, groups, len(weights)),
        "input_zero_point": zero_point,
        "weights_zero_point": weight_zero,
        **output_range(node, "uint8"),
        "shift": multiplier.shift,
        "multiplier": multiplier.significand,
        "weights": Constant("weights", "uint8_t", weights),
        "bias": Constant("bias", "int32_t", bias),
    }
    overlap = Overlap(0, 0, window.distance())
    return Call("conv_2d_uint8", params, (node.operand(0),), (node.result(),), overlaps=(overlap,))


def _reach(weights):
    """The largest sum of magnitudes of one filter."""
    return int(np.abs(np.asarray(weights, np.int64)).reshape(len(weights), -1).sum(1).max())


def filters(node):
    """Returns weights as [channels][height][width][depth], the window and the number of groups.

    Args:
        node: CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED, which is a convolution of single pixels.
    """
    weights, options = np.asarray(node.required(1, "weights")), node.options
    if node.op.code == "FULLY_CONNECTED":
        if options.weights_format != "DEFAULT":
            raise UnsupportedError(f"weights in the format {options.weights_format}")
        units, depth = weights.shape
        rows = node.input(0).size // depth
        one = (1, 1)
        return (
            weights.reshape(units, 1, 1, depth),
            Window(1, (rows, 1, depth), (rows, 1, units), one, one, one, (0, 0)),
            1,
        )
    dilation = options.dilation_h_factor, options.dilation_w_factor
    if node.op.code == "DEPTHWISE_CONV_2D":
        window = slide(node, weights.shape[1:3], dilation=dilation)
        return np.moveaxis(weights[0], -1, 0)[..., None], window, window.input[2]
    window = slide(node, weights.shape[1:3], dilation=dilation)
    return weights, window, window.input[2] // weights.shape[3]


def _geometry(window, groups, channels):
    return {
        "batches": window.batches,
        "input_height": window.input[0],
        "input_width": window.input[1],
        "input_channels": window.input[2],
        "output_height": window.output[0],
        "output_width": window.output[1],
        "output_channels": channels,
        "filter_height": window.filter[0],
        "filter_width": window.filter[1],
        "groups": groups,
        "stride_height": window.stride[0],
        "stride_width": window.stride[1],
        "dilation_height": window.dilation[0],
        "dilation_width": window.dilation[1],
        "pad_top": window.pad[0],
        "pad_left": window.pad[1],
    }
