"""Attention as integer operators: projections, matrix products and a softmax, rounded after each."""

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.quantization.activation_forms import SOFTMAX_RANGE
from keras_shrink.quantization.device_arithmetic import Sums, operands_on_device, rescaled, rounded, softmax
from keras_shrink.quantization.float_forms import FloatIsland
from keras_shrink.quantization.integer_grid import Grid
from keras_shrink.quantization.ranges import FixedRange, is_observing
from keras_shrink.weights import Transformed

# A score this far below a row's largest has a probability of less than a tenth of a step.
MASKED_BELOW = 8.0


class TakesQueryAndValue(Transformed):
    """The call of a MultiHeadAttention layer, for wrappers around one."""

    def build(self, query_shape, value_shape=None, key_shape=None):
        """Builds the wrapped layer for its two or three inputs, then the transforms."""
        if not self.layer.built:
            self.layer.build(query_shape, value_shape or query_shape, key_shape)
        super().build(query_shape)

    def call(
        self,
        query,
        value,
        key=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        """Returns the attention's output, rounded; arguments are those of the layer."""
        inputs = (query, value) if key is None else (query, value, key)
        given = {
            "attention_mask": attention_mask,
            "return_attention_scores": return_attention_scores or None,
            "use_causal_mask": use_causal_mask or None,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return super().call(inputs, training=training, **given)

    def called(self, inputs, **kwargs):
        """Calls the wrapped layer with query, value and key one by one."""
        return self.layer(*inputs, **kwargs)

    def compute_output_spec(self, query, value, key=None, training=None, **kwargs):
        """As the layer's own."""
        spec = self.layer.compute_output_spec(query, value, key, **kwargs)
        for step in self.outputs_through:
            spec = step.compute_output_spec(spec)
        return spec

    def compute_output_shape(self, query_shape, value_shape=None, key_shape=None):
        """As the layer's own."""
        return self.layer.compute_output_shape(query_shape, value_shape, key_shape)


@keras.saving.register_keras_serializable("keras_shrink")
class FloatAttention(TakesQueryAndValue):
    """A MultiHeadAttention layer that has no integer form and computes on floats."""


@keras.saving.register_keras_serializable("keras_shrink")
class AttentionIsland(TakesQueryAndValue, FloatIsland):
    """A MultiHeadAttention layer that was left out."""


@keras.saving.register_keras_serializable("keras_shrink")
class AttentionInSteps(TakesQueryAndValue):
    """A MultiHeadAttention layer over one axis of sequences, with or without a causal mask.

    The factor `1 / sqrt(key_dim)` is part of the query's weights. A causal mask lowers scores to the
    end of their range, which is wide enough for the softmax to make them zero.

    The layers of `inner` round queries, keys, values, scores and the heads' outputs.
    """

    computes_as_device = True

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.softmax_range = FixedRange(*SOFTMAX_RANGE, name="softmax_range")

    def run_layer(self, inputs, training, *, use_causal_mask=False, **kwargs):
        """Returns the layer's output before it is rounded."""
        layer = self.layer
        query, value, key = inputs if len(inputs) == 3 else (*inputs, inputs[1])
        of_query, of_key, of_value, of_scores, of_context = self.inner
        device = operands_on_device(self, training)
        on_device = device is not None
        grids = (*device.grids, device.grids[1])[:3] if on_device else (None,) * 3
        factor = layer._inverse_sqrt_key_dim
        queries = self._heads("query", query, of_query, training, grids[0], factor=factor)
        keys = self._heads("key", key, of_key, training, grids[2])
        values = self._heads("value", value, of_value, training, grids[1])
        sums = Sums.of_product(Grid(of_query), Grid(of_key)) if on_device else None
        scores = tf.matmul(queries, keys, transpose_b=True)
        if use_causal_mask:
            scores = _masked(scores, of_scores, sums, training)
        else:
            scores = rounded(of_scores, scores, sums, training)
        weights = softmax(scores, Grid(of_scores)) if on_device else tf.nn.softmax(scores)
        weights = self.softmax_range(weights, training=training)
        if layer.dropout:
            weights = layer._dropout_layer(weights, training=training)
        sums = Sums.of_product(Grid(self.softmax_range), Grid(of_value)) if on_device else None
        context = rounded(of_context, tf.matmul(weights, values), sums, training)
        context = tf.transpose(context, [0, 2, 1, 3])
        steps, heads, size = context.shape[1:]
        kernel = tf.cast(self.transformed("attention_output/kernel", training), context.dtype)
        joined = tf.reshape(context, [-1, steps, heads * size])
        result = tf.matmul(joined, tf.reshape(kernel, [heads * size, -1]))
        bias = tf.convert_to_tensor(layer.output_dense.bias) if layer.use_bias else tf.constant(0.0)
        result = result + tf.cast(bias, result.dtype) if layer.use_bias else result
        if not on_device:
            return result
        sums = Sums.of_kernel(Grid(of_context), self, "attention_output/kernel", kernel, bias)
        return rescaled(result, sums, device.target)

    def _heads(self, name, x, rounding, training, grid, factor=1.0):
        """Returns the projection of `x` as heads, shape `(batch, heads, steps, size)`."""
        kernel = self.transformed(f"{name}/kernel", training) * factor
        width, heads, size = kernel.shape
        result = tf.matmul(x, tf.cast(tf.reshape(kernel, [width, heads * size]), x.dtype))
        bias = tf.constant(0.0)
        if self.layer.use_bias:
            bias = tf.reshape(getattr(self.layer, f"{name}_dense").bias, [-1]) * factor
            result = result + tf.cast(bias, x.dtype)
        sums = None if grid is None else Sums.of_kernel(grid, self, f"{name}/kernel", kernel, bias)
        result = rounded(rounding, result, sums, training)
        return tf.transpose(tf.reshape(result, [-1, x.shape[1], heads, size]), [0, 2, 1, 3])


def _masked(scores, rounding, sums, training):
    """Returns rounded scores of which those of later steps are too low to count."""
    seen = np.tril(np.ones(scores.shape[-2:], bool))
    if training or is_observing():
        largest = tf.reduce_max(tf.where(seen, scores, scores.dtype.min), axis=-1, keepdims=True)
        return rounding(tf.where(seen, scores, largest - MASKED_BELOW), training=training)
    limit = tf.cast(tf.where(seen, rounding.high.value, rounding.low.value), scores.dtype)
    return rounding(tf.minimum(rounded(rounding, scores, sums, training), limit), training=training)
