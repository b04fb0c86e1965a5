"""What an operator costs: multiply-accumulates, weight bytes and parameters, from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tflite_export.graph import Op, Subgraph, Tensor

_FLOATS = ("float32", "float16", "bfloat16", "float64")


def macs(subgraph: Subgraph, op: Op) -> int:
    """Returns the multiply-accumulates of one execution of an operator, padding included.

    Counted are convolutions, matrix products and recurrent cells; what only adds, compares or moves has none.

    Example:
    >>> from tflite_export.read import read
    >>> graph = read("model.tflite")
    >>> macs(graph.main, graph.main.ops[0])
    2592
    """
    count = _MACS.get(op.code)
    inputs = [None if i < 0 else subgraph.tensors[i] for i in op.inputs]
    outputs = [subgraph.tensors[i] for i in op.outputs]
    if count is None or not outputs or len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return 0
    return count(op, inputs, outputs)


def weights(subgraph: Subgraph, op: Op) -> list[Tensor]:
    """Returns the constants an operator reads that are data rather than shapes, axes or paddings."""
    constants = [subgraph.tensors[i] for i in op.inputs if i >= 0 and subgraph.tensors[i].is_constant]
    return [t for t in constants if _is_weight(op, t)]


def parameters(tensor: Tensor) -> int:
    """Returns how many numbers a weight holds; of a sparse one, those that are stored."""
    return tensor.data.size if tensor.sparse and tensor.data is not None else tensor.size


def nonzeros(tensor: Tensor) -> int:
    """Returns how many numbers of a weight are not zero."""
    return 0 if tensor.data is None else int(np.count_nonzero(tensor.data))


def is_float(tensor: Tensor) -> bool:
    """Says whether a tensor holds floating-point numbers."""
    return tensor.dtype in _FLOATS


def _is_weight(op, tensor):
    if tensor.quantization is not None or is_float(tensor):
        return True
    return tensor.dtype in ("int32", "int64") and tensor.index in op.inputs[2:4] and op.code in _BIASED


def _convolution(op, inputs, outputs):
    return outputs[0].size * math.prod(inputs[1].shape[1:])


def _depthwise(op, inputs, outputs):
    return outputs[0].size * math.prod(inputs[1].shape[1:3])


def _fully_connected(op, inputs, outputs):
    return outputs[0].size * (inputs[1].shape[-1] if inputs[1].shape else 1)


def _transpose_convolution(op, inputs, outputs):
    if len(inputs) < 3 or inputs[2] is None or not inputs[1].shape:
        return 0
    return inputs[2].size * inputs[1].size // max(inputs[1].shape[-1], 1)


def _convolution_3d(op, inputs, outputs):
    return outputs[0].size * math.prod(inputs[1].shape[:4])


def _matrix_product(op, inputs, outputs):
    if len(inputs[0].shape) < 2:
        return 0
    return outputs[0].size * inputs[0].shape[-2 if getattr(op.options, "adj_x", False) else -1]


def _time_filter(op, inputs, outputs):
    batch = inputs[0].shape[0] if inputs[0].shape else 1
    return batch * sum(t.size for t in inputs[1:3] if t is not None)


def _recurrent(op, inputs, outputs):
    """Every weight matrix is used once for each step and each sample."""
    steps = math.prod(inputs[0].shape[:-1])
    return steps * sum(t.size for t in inputs[1:] if t is not None and t.is_constant and len(t.shape) == 2)


_BIASED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D", "SVDF")
_MACS: dict[str, Callable] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transpose_convolution,
    "CONV_3D": _convolution_3d,
    "BATCH_MATMUL": _matrix_product,
    "SVDF": _time_filter,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
    "LSTM": _recurrent,
    "RNN": _recurrent,
}
