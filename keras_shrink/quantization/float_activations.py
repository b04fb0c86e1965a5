"""Networks that compute on floats with weights of fewer bits: a dynamic-range file, or one of float16."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from keras_shrink import select
from keras_shrink.quantization.config import Float16
from keras_shrink.quantization.fake_quant import SymmetricWeights, WeightRounding
from keras_shrink.rebuild import rebuild
from keras_shrink.weights import Transformed, relative_name

_LARGEST = 65504.0  # that float16 holds


@keras.saving.register_keras_serializable("keras_shrink")
class HybridWeights(SymmetricWeights):
    """Weight transform onto 8-bit levels in a network whose activations are floats.

    Args:
        reduce_axes: As `SymmetricWeights`.
    """

    tflite_dtype = "dynamic_range"


@keras.saving.register_keras_serializable("keras_shrink")
class HalfWeights(WeightRounding):
    """Weight transform to the nearest number that float16 holds; gradients pass straight through."""

    tflite_dtype = "float16"

    def call(self, weight, training=None):
        """Returns `weight` rounded; same shape and dtype."""
        return _rounded_half(weight) if training else _half(weight)


def round_weights(model, config, kept):
    """Returns a copy of `model` with rounded weights and nothing else changed.

    Args:
        model: A plain float model.
        config: A `WeightOnly` or `Float16`.
        kept: The `KeptStructure` of the model.

    Raises:
        ValueError: If a weight is too large for float16.
    """

    def exchange(copy, original):
        if not isinstance(original, keras.layers.Layer):
            return copy
        weights = {
            # Zeros among biases are no pruned ones.
            name: [*(kept.of_weight(variable, name) if len(variable.shape) > 1 else ()), rounding]
            for name, variable, rounding in _roundings(original, config)
        }
        return Transformed(copy, weights=weights) if weights else copy

    return rebuild(model, exchange)


def _roundings(layer, config):
    """Yields the key, the variable and the rounding of each weight of a layer that is rounded."""
    kernels = {id(kernel.variable): kernel for kernel in select.find_kernels(layer)}
    for position, variable in enumerate(layer.weights):
        relative = relative_name(layer, variable)
        # Inner layers get another name in each copy; their weights keep their places.
        key = str(position) if "/" in relative else relative
        label = relative.replace("/", "_")
        if isinstance(config, Float16):
            if id(variable) in kernels or variable.name.endswith("bias"):
                _check_size(layer, variable)
                yield key, variable, HalfWeights(name=f"{label}_float16")
        elif id(variable) in kernels and len(variable.shape) > 1 and variable.name != "embeddings":
            axes = _shared_axes(kernels[id(variable)])
            yield key, variable, HybridWeights(axes, name=f"{label}_int8")


def _shared_axes(kernel):
    rank = len(kernel.variable.shape)
    channels = {kernel.output_axis}
    if kernel.input_axis == kernel.output_axis:
        channels.add(rank - 1)  # a depthwise kernel has a scale for each channel and multiplier
    return tuple(axis for axis in range(rank) if axis not in channels)


def _check_size(layer, variable):
    largest = float(np.abs(keras.ops.convert_to_numpy(variable)).max(initial=0))
    if largest > _LARGEST:
        raise ValueError(
            f"float16 holds numbers up to {_LARGEST:.0f}. Received: layer {layer.name!r}, whose "
            f"{variable.name} reaches {largest:.6g}. Scale the layer, or use Int8() or WeightOnly()."
        )


def _half(weight):
    return tf.cast(tf.cast(weight, tf.float16), weight.dtype)


@tf.custom_gradient
def _rounded_half(weight):
    return _half(weight), lambda upstream: upstream
