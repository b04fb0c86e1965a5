"""The rounding of the device, where plain float32 arithmetic would round another way now and then.

An integer operator sums products, which are whole multiples of one number, and brings the sum to the scale
of its output in two roundings. The sums are found again in what Keras computed, since its errors are far
smaller than one such multiple; from there on the arithmetic is that of the device. Sums, products, averages
and linear operators with the normalization and the ReLU behind them are covered: nearly all of most networks.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.flow import Call, Flow, trace
from keras_shrink.quantization.activation_in_rounding import ActivationInRounding
from keras_shrink.quantization.average_forms import AveragedWindows
from keras_shrink.quantization.depthwise_forms import AffineAsDepthwise, scale_and_shift
from keras_shrink.quantization.fake_quant import SymmetricWeights
from keras_shrink.quantization.learned_steps import LearnedSteps
from keras_shrink.quantization.merge_forms import ChainedMerge, NearestUpSampling
from keras_shrink.quantization.ranges import ActivationQuantizer, FixedRange
from keras_shrink.quantization.rules import role
from keras_shrink.weights import Transformed

_LINEAR = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Dense,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
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
    found = [_rounding(flow, call) for call in flow.calls if often[id(call.layer)] == 1]
    return {id(layer): _if_single(function) for layer, function in filter(None, found)}


def _if_single(function):
    """Leaves results in half precision alone: the sums are not in them."""
    return lambda result, inputs: function(result, inputs) if result.dtype == tf.float32 else result


@dataclasses.dataclass(frozen=True)
class _Grid:
    """The integers that a quantizer stands for."""

    quantizer: ActivationQuantizer | FixedRange

    @property
    def step(self):
        """The scale as float64, as the file stores it."""
        low, high = self._ends()
        return _stored((tf.cast(high, tf.float64) - tf.cast(low, tf.float64)) / 255.0)

    @property
    def zero_point(self):
        """The integer that stands for zero, as float64."""
        low, _ = self._ends()
        return tf.round(-tf.cast(low, tf.float64) / self.step) - 128.0

    def integers(self, x):
        """Returns the integers of values on the grid, less the zero point."""
        return tf.round(tf.cast(x, tf.float64) / self.step)

    def _ends(self):
        ends = self.quantizer.low, self.quantizer.high
        return [tf.convert_to_tensor(end, tf.float32) for end in ends]


def _rounding(flow: Flow, call: Call):
    """Returns a layer and the function for its results, None if it computes as Keras does."""
    wrapper = call.layer
    if isinstance(wrapper, AveragedWindows):
        source = _grid_of(flow, call.inputs[0])
        if source is None:
            return None
        return wrapper, lambda result, inputs: wrapper.on_grid(result, inputs, source.step, source.zero_point)
    if not isinstance(wrapper, Transformed) or not wrapper.outputs_through:
        return None
    target = _as_grid(wrapper.outputs_through[0])
    if type(wrapper) is ActivationInRounding:
        call = _maker(flow, call.inputs[0])
    if target is None or call is None:
        return None
    if isinstance(call.layer, ChainedMerge):
        function = _merge_rounding(flow, call, target)
        return None if function is None else (call.layer, function)
    operator = _operator(flow, call)
    return None if operator is None else (wrapper, lambda result, _: _rescaled(result, operator(), target))


def _merge_rounding(flow, call, target):
    """Returns the function for a sum, a difference or a product of two tensors, None for other merges."""
    kind = type(call.layer.layer)
    sources = [_grid_of(flow, key) for key in call.inputs]
    if len(sources) != 2 or None in sources:
        return None
    first, second = sources
    if kind is keras.layers.Multiply:
        return lambda result, _: _rescaled(result, _Operator(first.step * second.step), target)
    sign = {keras.layers.Add: 1.0, keras.layers.Subtract: -1.0}.get(kind)

    def added(_, inputs):
        # The device adds far finer than the scale of the output is.
        total = first.integers(inputs[0]) * first.step + sign * second.integers(inputs[1]) * second.step
        return _away_from_zero(total / target.step) * target.step

    return None if sign is None else added


@dataclasses.dataclass(frozen=True)
class _Operator:
    """What an integer operator sums.

    Attributes:
        step: The number of which its sums of products are whole multiples, one or one for each channel,
            float64.
        offset: What is added to a sum, likewise; the device rounds it to such a multiple by itself.
        count: How many sums a mean divides.
    """

    step: tf.Tensor
    offset: tf.Tensor | float = 0.0
    count: int = 1


def _operator(flow, call):
    """Returns a function that gives the `_Operator` behind the result of a call, None if it is not known."""
    normalization = None
    if _folds(call.layer):
        normalization, call = _inner(call.layer), _maker(flow, call.inputs[0])
    if call is None or not isinstance(call.layer, Transformed):
        return None
    wrapper, source = call.layer, _grid_of(flow, call.inputs[0])
    if source is None:
        return None
    if isinstance(wrapper, AffineAsDepthwise):
        return lambda: _scaled(wrapper, source, len(call.shapes[0]))
    if type(wrapper) is not Transformed:
        return None
    if isinstance(wrapper.layer, _GLOBAL):
        count = int(np.prod(call.shapes[0][1:-1]))
        return lambda: _Operator(source.step / count, count=count)
    chain = wrapper.weight_transforms.get("kernel", ())
    if type(wrapper.layer) not in _LINEAR or not chain or not isinstance(chain[-1], SymmetricWeights):
        return None
    return lambda: _linear(wrapper, normalization, source)


def _folds(layer):
    """Whether a layer is a normalization that becomes part of the operator before it."""
    is_normalization = isinstance(_inner(layer), keras.layers.BatchNormalization)
    return is_normalization and not isinstance(layer, AffineAsDepthwise)


def _scaled(wrapper, source, rank):
    """Factors of which each is alone in its channel, on the end of the grid, and what is added."""
    scale, shift = scale_and_shift(wrapper.layer, rank)
    return _Operator(source.step * _stored(tf.abs(scale) / 127.0), tf.cast(shift, tf.float64))


def _linear(wrapper, normalization, source):
    """Products with a kernel, and the bias, with the normalization behind them folded in."""
    rounding = wrapper.weight_transforms["kernel"][-1]
    end = 2.0 ** (rounding.num_bits - 1) - 1.0
    kernel = wrapper.transformed("kernel")
    if isinstance(rounding, LearnedSteps):
        ends = tf.reshape(rounding.scale(kernel), [-1]) * end
    else:
        ends = tf.reshape(tf.reduce_max(tf.abs(kernel), axis=rounding.reduce_axes), [-1])
    offset = tf.convert_to_tensor(wrapper.layer.bias) if wrapper.layer.use_bias else tf.zeros_like(ends)
    if normalization is not None:
        scale, shift = (tf.reshape(x, [-1]) for x in scale_and_shift(normalization, 1))
        ends, offset = ends * tf.abs(scale), offset * scale + shift
    # As the converter has it: from the largest weight after rounding and folding.
    return _Operator(source.step * _stored(tf.cast(ends, tf.float64) / end), tf.cast(offset, tf.float64))


def _rescaled(result, operator, target):
    """Returns a result on the grid of its output: whole sums, brought to its scale in two roundings."""
    step, offset, count = operator.step, operator.offset, operator.count
    sums = tf.round((tf.cast(result, tf.float64) - offset) / step) + tf.round(offset / step)
    multiplier = step * count / target.step
    exponent = tf.floor(tf.math.log(multiplier) / np.log(2.0) + 1e-12) + 1.0
    significand = tf.round(multiplier * 2.0 ** (31.0 - exponent))
    # A mean has the count in its multiplier, with as many bits more as that leaves room for.
    bits = count.bit_length() - 1
    significand, exponent = tf.floor(significand * 2.0**bits / count), exponent - bits
    right = tf.maximum(-exponent, 0.0)
    first = tf.floor(sums * (significand * 2.0 ** (exponent + right - 31.0)) + 0.5)
    return _away_from_zero(first * 2.0**-right) * target.step


def _away_from_zero(x):
    return tf.sign(x) * tf.floor(tf.abs(x) + 0.5)


def _stored(scale):
    """A scale as a file stores it, back in float64."""
    return tf.cast(tf.cast(scale, tf.float32), tf.float64)


def _grid_of(flow, key):
    """Returns the grid on which a tensor lies, None if it is not known."""
    call = flow.makers.get(key)
    while call is not None:
        ends = getattr(call.layer, "outputs_through", None) or [call.layer]
        grid = _as_grid(ends[-1])
        if grid is not None or not _passes(call.layer, "same_range"):
            return grid
        call = flow.makers.get(call.inputs[0])
    return None


def _as_grid(layer):
    """Returns the `_Grid` of a layer that rounds to 8 bits, None for any other."""
    is_one = isinstance(layer, ActivationQuantizer | FixedRange) and layer.num_bits == 8
    return _Grid(layer) if is_one else None


def _maker(flow, key):
    """Returns the call that makes a tensor, looking through layers that do nothing in inference."""
    call = flow.makers.get(key)
    while call is not None and _passes(call.layer, "is_identity"):
        call = flow.makers.get(call.inputs[0])
    return call


def _passes(layer, ability):
    """Whether a layer rounds nothing and leaves the range of its input, or all of it, as it is."""
    if isinstance(layer, Transformed):
        return ability == "same_range" and isinstance(layer, AveragedWindows | NearestUpSampling)
    return getattr(role(layer), ability)


def _inner(layer):
    return layer.layer if isinstance(layer, Transformed) else layer
