"""Which layers of a quantized model round in evaluation as the device does, and how.

Plain float32 arithmetic would round another way now and then. Sums, products, averages and linear operators
with the normalization and the ReLU behind them are changed from outside; forms of several operators do it
themselves, told of the grids of their inputs.
"""

from __future__ import annotations

import collections
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.flow import Call, Flow, trace
from keras_shrink.quantization.activation_in_rounding import ActivationInRounding
from keras_shrink.quantization.average_forms import AveragedWindows
from keras_shrink.quantization.depthwise_forms import (
    AffineAsDepthwise,
    ReLU6AsDepthwise,
    SaturatedReLUAsDepthwise,
    scale_and_shift,
)
from keras_shrink.quantization.device_activations import activation_rounding
from keras_shrink.quantization.device_arithmetic import (
    Operands,
    Sums,
    largest_integer,
    largest_weights,
    rescaled,
)
from keras_shrink.quantization.device_grids import as_grid, grid_of, inner, maker, target_of
from keras_shrink.quantization.fake_quant import SymmetricWeights
from keras_shrink.quantization.integer_grid import Grid
from keras_shrink.quantization.merge_forms import JoinedRanges
from keras_shrink.quantization.ranges import ActivationQuantizer
from keras_shrink.quantization.recurrence import Recurrent
from keras_shrink.quantization.separable_forms import SeparableAsTwo
from keras_shrink.weights import Transformed

_LINEAR = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Dense,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.EinsumDense,
)
_GLOBAL = (keras.layers.GlobalAveragePooling1D, keras.layers.GlobalAveragePooling2D)


def device_roundings(model) -> dict[int, Callable]:
    """Returns, for the wrapped layers of a quantized model, what brings their results to the device's grid.

    Args:
        model: What `quantize` returned. Its ranges are read when the functions run.

    Returns:
        `id(layer)` -> a function of the layer's result and inputs that returns the result on the grid of
        the layer's range, for `weights.results_through`. Layers that are used at several places, and
        operators of other kinds, are not among them.
    """
    flow = trace(model)
    often = collections.Counter(id(call.layer) for call in flow.calls)
    once = [call for call in flow.calls if often[id(call.layer)] == 1]
    found = [_rounding(flow, call) for call in once] + [activation_rounding(flow, call) for call in once]
    return {id(layer): function for layer, function in filter(None, found)}


def _rounding(flow: Flow, call: Call):
    """Returns a layer and the function for its results, None if it computes as Keras does."""
    wrapper = call.layer
    if isinstance(wrapper, ActivationQuantizer):
        return wrapper, lambda _, x: Grid(wrapper).nearest(x)
    if getattr(wrapper, "compute_dtype", "float32") != "float32":
        return None  # the sums are not to be found in half precision
    if getattr(wrapper, "computes_as_device", False):
        return _stepwise(flow, call)
    if isinstance(wrapper, AveragedWindows):
        return _averaged(flow, call)
    target = target_of(flow, call) if isinstance(wrapper, Transformed) else None
    if target is None:
        return None
    if isinstance(wrapper, JoinedRanges):
        function = _joined_rounding(flow, call, target)
        return function and (wrapper, function)
    operator = _operator(flow, call)
    return operator and (wrapper, lambda result, _: rescaled(result, operator(), target))


def _averaged(flow, call):
    """As `_rounding`, for averages, which have the grid of their inputs."""
    wrapper, source = call.layer, grid_of(flow, call.inputs[0])
    if source is not None:
        return wrapper, lambda result, inputs: wrapper.on_grid(result, inputs, source)
    # Where nothing was cut off yet, the device has done so at the ends of the joining layer's range.
    target = target_of(flow, call)
    if target is None:
        return None
    return wrapper, lambda _, x: wrapper.on_grid(wrapper.layer(target.nearest(x)), x, target)


def _stepwise(flow, call):
    """As `_rounding`, for a layer that computes in steps."""
    grids = [grid_of(flow, key) for key in call.inputs]
    if None in grids or any(layer.num_bits != 8 for layer in call.layer.inner):
        return None
    target = target_of(flow, call)
    # A recurrent layer knows its target; what a separable one sums is rounded behind a normalization.
    if target is None and not isinstance(call.layer, Recurrent | SeparableAsTwo):
        return None
    return call.layer, Operands(tuple(grids), target)


def _joined_rounding(flow, call, target):
    """Returns the function for a joining layer, whose inputs must have its grid; None where they have.

    What leads nowhere else is on it already, but for inputs of the model.
    """
    wrapper, roundings = call.layer, {}
    for position, key in enumerate(call.inputs):
        copied = _copied(flow, key, wrapper.factor(position)) if position in wrapper.again else None
        if copied is not None:
            roundings[position] = lambda x, copied=copied: rescaled(x, copied(), target)
        elif maker(flow, key, "same_range") is None:
            roundings[position] = target.nearest
    if not roundings:
        return None
    return lambda _, inputs: wrapper.layer([roundings.get(i, tf.identity)(x) for i, x in enumerate(inputs)])


def _copied(flow, key, factor=1.0):
    """As `_operator`, for a tensor that is brought to another scale."""
    grid = grid_of(flow, key)
    return None if grid is None else lambda: Sums.of_factors(grid, tf.constant(factor))


def _operator(flow, call):
    """Returns a function that gives the `Sums` behind the result of a call, None if it is not known."""
    normalization = None
    if _folds(call.layer):
        normalization, call = inner(call.layer), maker(flow, call.inputs[0])
    if call is None:
        return None
    wrapper, source = call.layer, grid_of(flow, call.inputs[0])
    if source is None:
        return None
    if not isinstance(wrapper, Transformed):
        return None
    if isinstance(wrapper, AffineAsDepthwise):
        return lambda: Sums.of_factors(source, *scale_and_shift(wrapper.layer, len(call.shapes[0])))
    if isinstance(wrapper, SeparableAsTwo) and normalization is not None:
        between = as_grid(wrapper.inner[0])
        return between and (lambda: _linear(wrapper, normalization, between, "pointwise_kernel"))
    if isinstance(wrapper, ReLU6AsDepthwise | SaturatedReLUAsDepthwise):
        return _copied(flow, call.inputs[0])
    if type(wrapper) is ActivationInRounding:
        return lambda: Sums(source.step)
    if type(wrapper) is not Transformed:
        return None
    if isinstance(wrapper.layer, keras.layers.Dot):
        other = grid_of(flow, call.inputs[1])
        return None if other is None or wrapper.layer.normalize else lambda: Sums.of_product(source, other)
    if isinstance(wrapper.layer, _GLOBAL):
        count = int(np.prod(call.shapes[0][1:-1]))
        return lambda: Sums.of_mean(source, count)
    chain = wrapper.weight_transforms.get("kernel", ())
    if type(wrapper.layer) not in _LINEAR or not chain or not isinstance(chain[-1], SymmetricWeights):
        return None
    return lambda: _linear(wrapper, normalization, source)


def _folds(layer):
    """Whether a layer is a normalization that becomes part of the operator before it."""
    is_normalization = isinstance(inner(layer), keras.layers.BatchNormalization)
    return is_normalization and not isinstance(layer, AffineAsDepthwise)


def _linear(wrapper, normalization, source, name="kernel"):
    """Products with a kernel, and the bias, with the normalization behind them folded in."""
    rounding = wrapper.weight_transforms[name][-1]
    ends = largest_weights(wrapper.transformed(name), rounding)
    bias = wrapper.layer.bias
    offset = tf.zeros_like(ends) if bias is None else tf.convert_to_tensor(bias)
    if normalization is not None:
        scale, shift = (tf.reshape(x, [-1]) for x in scale_and_shift(normalization, 1))
        ends, offset = ends * tf.abs(scale), offset * scale + shift
    if isinstance(wrapper.layer, keras.layers.EinsumDense) and rounding.reduce_axes is not None:
        made = wrapper.layer.kernel.shape[len(rounding.reduce_axes) :]
        ends, offset = tf.reshape(ends, made), tf.broadcast_to(offset, made)
    # As the converter has it: from the largest weight after rounding and folding.
    return Sums.of_weights(source, ends, offset, end=largest_integer(rounding))
