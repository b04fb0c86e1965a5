"""Which activations of a quantized model are computed in evaluation as the device does, and how."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.quantization.activation_in_rounding import ActivationInRounding
from keras_shrink.quantization.device_arithmetic import Sums, log_softmax, rescaled, softmax
from keras_shrink.quantization.device_grids import as_grid, grid_of, inner, target_of
from keras_shrink.quantization.device_tables import TABLES, looked_up
from keras_shrink.quantization.rules.roles import activation_name
from keras_shrink.weights import Transformed

_OVER_ROWS = {"softmax": softmax, "log_softmax": log_softmax}
_SLOPE = 0.2  # of Keras' leaky_relu


def activation_rounding(flow, call):
    """Returns the layer that is, or is followed by, an activation and the function for its results.

    Args:
        flow: The `Flow` of a quantized model.
        call: Of a wrapped layer. The activation may stand behind the first rounding of its result.

    Returns:
        A pair for `weights.results_through`; None where there is no activation or it computes as Keras does.
    """
    wrapper, ends = call.layer, getattr(call.layer, "outputs_through", ())
    is_other = not isinstance(wrapper, Transformed) or isinstance(wrapper, ActivationInRounding)
    if is_other or wrapper.compute_dtype != "float32":
        return None
    target = as_grid(ends[-1]) if ends else target_of(flow, call)
    if target is None:
        return None
    chain = [inner(wrapper), *ends]
    computed = [_computed(activation, is_alone=not i) for i, activation in enumerate(chain[:-1] or chain)]
    computed[0] = _slopes(wrapper) or computed[0]
    position = next((i for i, compute in enumerate(computed) if compute is not None), None)
    if position is None:
        return None
    source = as_grid(chain[position - 1]) if position > 1 else grid_of(flow, call.inputs[0])
    if source is None:
        return None
    compute = computed[position]
    return chain[position] if position else wrapper, lambda _, x: compute(x, source, target)


def _computed(activation, is_alone):
    """Returns a function of values, their grid and that of the results; None for other layers."""
    if hasattr(activation, "on_grid"):
        return activation.on_grid
    if isinstance(activation, keras.layers.Softmax):
        return _by_name("softmax") if activation.axis == -1 else None
    if isinstance(activation, keras.layers.ELU):
        return _by_name("elu") if activation.alpha == 1 else None
    if isinstance(activation, keras.layers.LeakyReLU | keras.layers.ReLU):
        return _with_slope(activation.negative_slope) if activation.negative_slope else None
    if not isinstance(activation, keras.layers.Activation):
        return None
    name = activation_name(activation.activation)
    return None if is_alone and name == "relu" else _by_name(name)


def _by_name(name):
    if name in _OVER_ROWS:
        return lambda x, source, target: _OVER_ROWS[name](x, source)
    if name in TABLES:
        return lambda x, source, target: looked_up(name, x, source, target)
    if name == "leaky_relu":
        return _with_slope(_SLOPE)
    if name == "relu":
        return lambda x, source, target: rescaled(tf.nn.relu(x), Sums(source.step), target)
    return None


def _with_slope(slope):
    slope = float(np.float32(slope))
    return lambda x, source, target: _bent(x, source, Sums(source.step * slope), target)


def _slopes(wrapper):
    """As `_computed`, for a PReLU, whose slopes are weights."""
    if not isinstance(inner(wrapper), keras.layers.PReLU):
        return None

    def compute(x, source, target):
        alpha = wrapper.transformed("alpha")
        return _bent(x, source, Sums.of_kernel(source, wrapper, "alpha", alpha), target, alpha)

    return compute


def _bent(x, source, below, target, slope=None):
    """Returns a line with another slope below zero; its values there are multiples of the step of `below`."""
    falling = x * tf.cast(below.step / source.step if slope is None else slope, tf.float32)
    return tf.where(x < 0, rescaled(falling, below, target), rescaled(x, Sums(source.step), target))
