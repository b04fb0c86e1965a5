"""Bare operations of a Functional model, such as `x + y` or `keras.ops.relu(x)`, as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from keras_shrink.quantization.operation_forms import Applied, Elementwise, Sliced


def layer_for(operation):
    """Returns a layer that computes what an operation computes on its tensors; None if there is none.

    A layer can be wrapped, so that its result is rounded; an operation cannot.

    Args:
        operation: A `keras.Operation` of a Functional model that is not a layer.

    Example:
    >>> y = keras.ops.relu(keras.Input((4,)))
    >>> type(layer_for(y._keras_history.operation)).__name__
    'ReLU'
    """
    (node,) = operation._inbound_nodes
    arguments = [*node.arguments.args, *node.arguments.kwargs.values()]
    is_float = all(keras.backend.is_float_dtype(tensor.dtype) for tensor in node.output_tensors)
    make = _MAKERS.get(type(operation).__name__)
    return make(operation, arguments) if make is not None and is_float else None


def _elementwise(kind):
    def make(operation, arguments):
        constants = [(i, x) for i, x in enumerate(arguments) if not isinstance(x, keras.KerasTensor)]
        if not constants:
            return Elementwise(kind, name=operation.name)
        ((position, constant),) = constants
        return Elementwise(kind, constant=constant, constant_first=position == 0, name=operation.name)

    return make


def _divide(operation, arguments):
    numerator, divisor = arguments
    if isinstance(divisor, keras.KerasTensor):
        return None
    return _elementwise("multiply")(operation, [numerator, 1.0 / keras.ops.convert_to_numpy(divisor)])


def _negative(operation, arguments):
    return _elementwise("multiply")(operation, [*arguments, -1.0])


def _extreme(layer):
    """A Maximum or Minimum of two tensors; the maximum of a tensor and zero is a ReLU."""

    def make(operation, arguments):
        constants = [x for x in arguments if not isinstance(x, keras.KerasTensor)]
        if not constants:
            return layer(name=operation.name)
        is_relu = layer is keras.layers.Maximum and keras.ops.ndim(constants[0]) == 0 and constants[0] == 0
        return keras.layers.ReLU(name=operation.name) if is_relu else None

    return make


def _relu(operation, arguments):
    settings = {
        key: getattr(operation, key)
        for key in ("negative_slope", "max_value", "threshold")
        if hasattr(operation, key)
    }
    return keras.layers.ReLU(**settings, name=operation.name)


def _clip(operation, arguments):
    if operation.x_min != 0:
        return None
    return keras.layers.ReLU(max_value=float(operation.x_max), name=operation.name)


def _activation(name):
    return lambda operation, arguments: keras.layers.Activation(name, name=operation.name)


def _elu(operation, arguments):
    return keras.layers.ELU(alpha=operation.alpha, name=operation.name)


def _leaky_relu(operation, arguments):
    return keras.layers.LeakyReLU(negative_slope=operation.negative_slope, name=operation.name)


def _softmax(operation, arguments):
    return keras.layers.Softmax(axis=operation.axis, name=operation.name)


def _concatenate(operation, arguments):
    return keras.layers.Concatenate(axis=operation.axis, name=operation.name)


def _applied(kind, *settings):
    """The function `keras.ops.kind` with those settings that are attributes of the operation."""

    def make(operation, arguments):
        is_plain = all(isinstance(x, keras.KerasTensor) for x in arguments)
        values = {name: _plain(getattr(operation, name)) for name in settings}
        return Applied(kind, values, name=operation.name) if is_plain else None

    return make


def _pad(operation, arguments):
    given = [x for x in arguments if not isinstance(x, keras.KerasTensor)]
    if operation.mode != "constant" or any(x not in (None, 0) for x in given):
        return None
    return Applied("pad", {"pad_width": _plain(operation.pad_width)}, name=operation.name)


def _get_item(operation, arguments):
    tensor, key = arguments
    key = key if isinstance(key, tuple) else (key,)
    if not all(isinstance(part, int | slice) or part is Ellipsis for part in key):
        return None
    return Sliced.from_key(key, len(tensor.shape), name=operation.name)


def _plain(value):
    """Returns a setting as the lists and numbers that a configuration can hold."""
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


_MAKERS: dict[str, Callable[[Any, list], Any]] = {
    "Add": _elementwise("add"),
    "Subtract": _elementwise("subtract"),
    "Multiply": _elementwise("multiply"),
    "Divide": _divide,
    "TrueDivide": _divide,
    "Negative": _negative,
    "Maximum": _extreme(keras.layers.Maximum),
    "Minimum": _extreme(keras.layers.Minimum),
    "ReLU": _relu,
    "Relu": _relu,
    "Relu6": lambda operation, arguments: keras.layers.ReLU(6.0, name=operation.name),
    "Clip": _clip,
    "LeakyRelu": _leaky_relu,
    "Elu": _elu,
    "Softmax": _softmax,
    "Sigmoid": _activation("sigmoid"),
    "Tanh": _activation("tanh"),
    "Silu": _activation("silu"),
    "Gelu": _activation("gelu"),
    "HardSigmoid": _activation("hard_sigmoid"),
    "HardSilu": _activation("hard_silu"),
    "Softplus": _activation("softplus"),
    "Selu": _activation("selu"),
    "Concatenate": _concatenate,
    "Mean": _applied("mean", "axis", "keepdims"),
    "Sum": _applied("sum", "axis", "keepdims"),
    "Max": _applied("max", "axis", "keepdims"),
    "Min": _applied("min", "axis", "keepdims"),
    "Absolute": _applied("absolute"),
    "Abs": _applied("absolute"),
    "Matmul": _applied("matmul"),
    "Transpose": _applied("transpose", "axes"),
    "Swapaxes": _applied("swapaxes", "axis1", "axis2"),
    "Moveaxis": _applied("moveaxis", "source", "destination"),
    "Reshape": _applied("reshape", "newshape"),
    "Squeeze": _applied("squeeze", "axis"),
    "ExpandDims": _applied("expand_dims", "axis"),
    "Pad": _pad,
    "GetItem": _get_item,
}
