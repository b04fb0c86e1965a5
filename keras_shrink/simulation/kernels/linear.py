"""Sums of products: convolutions, dense layers, products of matrices."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.arithmetic import reach, requantize, requantize_64, saturate, wide
from keras_shrink.simulation.kernel import emitted, simulates
from tflite_export.c.emit import UnsupportedError, quantization
from tflite_export.c.ops.wide import filters
from tflite_export.c.ops.wide import wide as wide_call
from tflite_export.c.requant import channel_multipliers, fold_zero_point, output_range, require_types

_EXACT_FLOAT32 = 1 << 24


@dataclass(frozen=True)
class _Scaling:
    """From sums to the output.

    Attributes:
        bias: int64 array, one for each channel.
        significands: Of the multipliers.
        shifts: Of the multipliers.
        bound: What a sum cannot exceed.
        narrow: Whether the runtime's sums have 32 bits.
        output: Zero point and range.
    """

    bias: np.ndarray
    significands: np.ndarray
    shifts: np.ndarray
    bound: int
    narrow: bool
    output: dict

    def finish(self, sums, dtype):
        """Returns the output for sums of products without bias, of any float type."""
        rescale = requantize if self.narrow else requantize_64
        total = wide(sums) + self.bias.astype(np.float64)
        value = rescale(total, self.significands, self.shifts, self.bound)
        p = self.output
        return saturate(value + p["output_zero_point"], dtype, p["output_min"], p["output_max"])


def _sum_type(bound):
    """The float type in which every partial sum is exact, whatever the order."""
    return tf.float32 if bound < _EXACT_FLOAT32 else tf.float64


def _weight_sums(weights):
    return np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(1)


@simulates("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
def convolution(node):
    """A convolution, dense, grouped or by channels; a dense layer is one of single pixels."""
    dtype = node.input(0).dtype
    if dtype not in ("int16", "uint8"):
        require_types(node, input_0="int8", input_1=("int8", "int4"), input_2="int32", output_0="int8")
    weights, window, groups = filters(node)
    weights, weight_zero = weights.astype(np.int64), 0
    if dtype == "int8":
        bias = node.required(2, "bias") if node.has_input(2) else None
        fold_zero_point(weights, bias, 0)  # refuses sums beyond 32 bits
        significands, shifts = channel_multipliers(node.input(0), node.input(1), node.output(), len(weights))
        output, narrow = output_range(node), True
    else:
        output = wide_call(node).params
        significands, shifts = (
            (output["multiplier"].values, output["shift"].values)
            if dtype == "int16"
            else (output["multiplier"], output["shift"])
        )
        bias, narrow = output["bias"].values, bool(output.get("narrow", 1))
        weight_zero = output.get("weights_zero_point", 0)
    bias = np.zeros(len(weights), np.int64) if bias is None else np.asarray(bias, np.int64).reshape(-1)
    weights = weights - weight_zero
    zero_point = quantization(node.input(0))[1]
    sums = _weight_sums(weights) * reach(dtype, zero_point)
    scaling = _Scaling(bias, significands, shifts, int((sums + np.abs(bias)).max()), narrow, output)
    slide = _sliding(weights, window, groups, _sum_type(int(sums.max())))
    shape = node.output().shape

    def run(operands):
        pixels = tf.reshape(operands(0), (-1, *window.input))
        return tf.reshape(scaling.finish(slide(pixels, zero_point), dtype), (-1, *shape))

    return run


def _sliding(weights, window, groups, kind):
    """The function from images to sums of products."""
    kernel = weights.transpose(1, 2, 3, 0)  # height, width, depth of a group, channels
    stride, dilation = window.stride, window.dilation
    by_channel = groups == window.input[2] and groups > 1
    fine = stride if by_channel and stride[0] != stride[1] else (1, 1)
    if max(dilation) > 1 and max(stride) > 1:
        fine = stride  # not every combination has an implementation: take every such pixel instead
    step = (1, 1) if fine != (1, 1) else stride
    if by_channel:
        kernel = kernel.reshape(*kernel.shape[:2], groups, -1)
    kernel = kernel.astype(kind.as_numpy_dtype)
    pads = pads_of(window)

    def run(pixels, zero_point):
        values = tf.pad(tf.cast(pixels, kind) - zero_point, [(0, 0), *pads, (0, 0)])
        if by_channel:
            sums = tf.nn.depthwise_conv2d(values, kernel, (1, *step, 1), "VALID", dilations=dilation)
        else:
            parts = zip(tf.split(values, groups, -1), np.split(kernel, groups, -1), strict=True)
            sums = [tf.nn.conv2d(x, k, step, "VALID", dilations=dilation) for x, k in parts]
            sums = sums[0] if groups == 1 else tf.concat(sums, -1)
        return sums[:, :: fine[0], :: fine[1]]

    return run


def pads_of(window):
    """Returns the padding of a `Window`: (above, below) and (left, right)."""
    pads = []
    for axis in (0, 1):
        extent = (window.filter[axis] - 1) * window.dilation[axis] + 1
        needed = (window.output[axis] - 1) * window.stride[axis] + extent - window.input[axis]
        pads.append((window.pad[axis], max(0, needed - window.pad[axis])))
    return pads


@simulates("TRANSPOSE_CONV")
def transpose_conv(node):
    """A transposed convolution: all of it, of which padding cuts off the border."""
    dtype, p = node.output().dtype, emitted(node).params
    weights = np.asarray(node.required(1, "weights"), np.int64)
    zero_point, narrow = p["input_zero_point"], dtype == "int8"
    sums = _weight_sums(weights) * reach(dtype, zero_point)
    bias = np.asarray(p["bias"].values, np.int64).reshape(-1)
    bound = int((sums + np.abs(bias)).max())
    scaling = _Scaling(bias, p["multiplier"].values, p["shift"].values, bound, narrow, p)
    kind = _sum_type(int(sums.max()))
    kernel = weights.transpose(1, 2, 0, 3).astype(kind.as_numpy_dtype)
    source, shape = node.input(2).shape, node.output().shape
    stride, pad = (p["stride_height"], p["stride_width"]), (p["pad_top"], p["pad_left"])
    whole = [(source[i + 1] - 1) * stride[i] + weights.shape[i + 1] for i in (0, 1)]
    more = [max(0, shape[i + 1] + pad[i] - whole[i]) for i in (0, 1)]

    def run(operands):
        pixels = tf.cast(tf.reshape(operands(2), (-1, *source[1:])), kind) - zero_point
        size = tf.stack([tf.shape(pixels)[0], *whole, len(weights)])
        sums = tf.nn.conv2d_transpose(pixels, kernel, size, stride, "VALID")
        sums = tf.pad(sums, [(0, 0), (0, more[0]), (0, more[1]), (0, 0)])
        sums = sums[:, pad[0] : pad[0] + shape[1], pad[1] : pad[1] + shape[2]]
        return tf.reshape(scaling.finish(sums, dtype), (-1, *shape))

    return run


@simulates("BATCH_MATMUL")
def batch_matmul(node):
    """The product of two matrices, computed or constant."""
    dtype, p = node.output().dtype, emitted(node).params
    zeros = p["zero_point_1"], p["zero_point_2"]
    bound = p["depth"] * reach(dtype, zeros[0]) * reach(dtype, zeros[1])
    if bound >= 1 << 53:
        raise UnsupportedError(f"sums of up to {bound}, more than 53 bits hold")
    scaling = _Scaling(np.zeros(1, np.int64), p["multiplier"], p["shift"], bound, dtype == "int8", p)
    kind = _sum_type(bound)

    def run(operands):
        a, b = (tf.cast(operands.aligned(i), kind) - zero for i, zero in enumerate(zeros))
        sums = tf.matmul(a, b, transpose_a=node.options.adj_x, transpose_b=node.options.adj_y)
        return scaling.finish(sums, dtype)

    return run
