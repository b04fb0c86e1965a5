"""BatchNormalization as part of the linear layer before it: the form in which a device computes it."""

from __future__ import annotations

import keras
import numpy as np

from keras_shrink.flow import Flow, trace
from keras_shrink.quantization.channels import output_channels
from keras_shrink.quantization.rules import activation_name
from keras_shrink.rebuild import check_rebuildable, rebuild
from keras_shrink.weights import SharedValues

_DOES_NOTHING = (
    keras.layers.Identity,
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianNoise,
    keras.layers.GaussianDropout,
    keras.layers.ActivityRegularization,
)


@keras.saving.register_keras_serializable("keras_shrink")
class Folded(keras.layers.Identity):
    """Holds the place and the name of a BatchNormalization that is part of the layer before it."""

    def call(self, inputs, training=None, mask=None):
        """Returns the inputs; takes the arguments that the layer it stands for took."""
        return inputs

    def compute_output_spec(self, inputs, training=None, mask=None):
        """As the inputs."""
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)


def fold_normalization(model):
    """Returns a copy of `model` in which BatchNormalization is part of the linear layers before it.

    `gamma * (w x + b - mean) / sqrt(variance + epsilon) + beta` becomes one linear layer with kernel
    `w * f` and bias `(b - mean) * f + beta`, where `f = gamma / sqrt(variance + epsilon)`. The outputs
    are those of `model` in inference, up to float rounding. A `Folded` identity takes the place and the name
    of each folded layer. What is not directly behind a linear layer without activation stays.

    Per-tensor weights (`Int8(per_channel=False)`), `equalize`, `correct_bias` and `learn_rounding` need
    this form; a model that is to be trained further does better with its BatchNormalization.

    Args:
        model: A built, trained Functional or Sequential model. It is not touched.

    Raises:
        ValueError: If the model is subclassed, clustered, or has no shapes yet.

    Example:
    >>> model = keras.Sequential(
    ...     [keras.Input((4,)), keras.layers.Dense(3, name="fc"), keras.layers.BatchNormalization(name="bn")]
    ... )
    >>> [type(layer).__name__ for layer in fold_normalization(model).layers]
    ['Dense', 'Folded']

    Reference:
        Jacob et al., 2018, arXiv:1712.05877, section 3.2.
    """
    check_rebuildable(model)
    if any(isinstance(layer, SharedValues) for layer in model._flatten_layers(include_self=False)):
        raise ValueError(
            "The weights of a clustered model share their values and cannot be changed one by one. "
            f"Received: model={model.name!r}. Take this step first and cluster then; or take it on "
            "keras_shrink.bake(model)."
        )
    return with_weights(model, folds=_foldable(trace(model)))


def with_weights(model, *, folds=None, biased=(), change=None):
    """Returns a copy of `model` with normalization folded, biases added and layers changed.

    Args:
        model: The model to copy.
        folds: `id(linear layer)` -> the BatchNormalization to fold into it.
        biased: Linear layers that get a bias of zeros if they have none.
        change: Function `(copy, original)` that may alter the settings of an unbuilt copy.
    """
    folds = folds or {}
    norms = {id(norm) for norm in folds.values()}
    wanted = {*folds, *(id(layer) for layer in biased)}
    replaced = []

    def exchange(copy, original):
        if id(original) in norms:
            return Folded(name=original.name, dtype=original.dtype_policy.name)
        if id(original) in wanted and not original.use_bias:
            copy = copy.__class__.from_config({**copy.get_config(), "use_bias": True})
        if change is not None:
            change(copy, original)
        if id(original) in wanted:
            replaced.append((copy, original))
        return copy

    new = rebuild(model, exchange)
    for copy, original in replaced:
        values = _folded(original, folds.get(id(original)))
        for name, value in values.items():
            getattr(copy, name).assign(value)
        copy.trainable = original.trainable
    return new


def linear_layers(flow: Flow):
    """Returns the layers with known channels that are called exactly once, in order."""
    calls = [call for call in flow.calls if output_channels(call.layer) is not None]
    counts: dict[int, int] = {}
    for call in calls:
        counts[id(call.layer)] = counts.get(id(call.layer), 0) + 1
    return [call for call in calls if counts[id(call.layer)] == 1]


def next_call(flow: Flow, key):
    """Returns the only call that reads a tensor, looking through layers that do nothing in inference."""
    reader = flow.sole_reader(key)
    while reader is not None and isinstance(reader.layer, _DOES_NOTHING):
        reader = flow.sole_reader(reader.outputs[0])
    return reader


def _foldable(flow: Flow):
    found = {}
    used: dict[int, int] = {}
    for call in flow.calls:
        used[id(call.layer)] = used.get(id(call.layer), 0) + 1
    for call in linear_layers(flow):
        reader = next_call(flow, call.outputs[0])
        if reader is None or not isinstance(reader.layer, keras.layers.BatchNormalization):
            continue
        rank = len(reader.shapes[0])
        is_last = reader.layer.axis % rank == rank - 1
        is_linear = activation_name(call.layer.activation) == "linear"
        if is_last and is_linear and used[id(reader.layer)] == 1:
            found[id(call.layer)] = reader.layer
    return found


def _folded(layer, norm):
    """Returns the weights that change: name -> array."""
    channels = output_channels(layer)
    kernel = keras.ops.convert_to_numpy(getattr(layer, channels.weight)).astype(np.float64)
    size = channels.largest(kernel).size
    bias = keras.ops.convert_to_numpy(layer.bias) if layer.use_bias else np.zeros(size)
    other = {
        v.name: keras.ops.convert_to_numpy(v)
        for v in layer.weights
        if v.name not in (channels.weight, "bias")
    }
    if norm is None:
        return {**other, channels.weight: kernel, "bias": bias}
    mean, variance = (
        keras.ops.convert_to_numpy(v).astype(np.float64) for v in (norm.moving_mean, norm.moving_variance)
    )
    factor = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        factor = factor * keras.ops.convert_to_numpy(norm.gamma)
    shift = keras.ops.convert_to_numpy(norm.beta) if norm.center else 0.0
    return {
        **other,
        channels.weight: channels.scaled(kernel, factor),
        "bias": (bias.astype(np.float64) - mean) * factor + shift,
    }
