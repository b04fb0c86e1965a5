"""Convolutions as separable ones: `to_separable`."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import layers as keras_layers

from keras_shrink import select
from keras_shrink.architecture import low_rank_kernels
from keras_shrink.checks import check_count
from keras_shrink.flow import trace
from keras_shrink.rebuild import check_rebuildable, rebuild
from keras_shrink.taps import Taps
from tflite_export import samples

_SEPARABLE = {
    keras_layers.Conv1D: keras_layers.SeparableConv1D,
    keras_layers.Conv2D: keras_layers.SeparableConv2D,
}
_FEWEST_CHANNELS = 8


def to_separable(model, layers=None, *, depth_multiplier=1, data=None, batch_size=32):
    """Returns a copy of `model` with convolutions replaced by separable ones of the same name.

    A 3x3 convolution of `c` channels into `f` filters costs `9cf` multiplications a pixel, a separable
    one `9c + cf`, eight to nine times fewer for many filters. The new kernels are those nearest to the
    old: in the weights, or, with `data`, in the outputs of each layer on it, which is a distillation
    layer by layer in closed form. Train the result afterwards, with `Distiller` from `model` for best
    accuracy: one depthwise kernel for each channel is much less than a full kernel.

    Args:
        model: A built Functional or Sequential model. It is not touched.
        layers: Which convolutions: a predicate, a layer or a list of layers (see `select`). Defaults
            to every `Conv1D` and `Conv2D` larger than one pixel on at least 8 channels; with fewer, as
            in the first layer of most networks, a depthwise kernel each has too little to work with.
        depth_multiplier: Depthwise kernels for each channel. Defaults to 1; with as many as the kernel
            has pixels nothing is lost, and nothing saved.
        data: Inputs without labels, as for `calibrate`; a hundred pictures do. Defaults to none.
        batch_size: Samples at a time, where arrays are given.

    Returns:
        A plain Keras model. Chosen layers that cannot be replaced, or would not get cheaper, stay; a
        warning names them with the reason.

    Raises:
        ValueError: If the model is subclassed or not built, if nothing is chosen, if
            `depth_multiplier` is below 1, or if the data does not fit.

    Example:
    >>> import keras, keras_shrink as ks
    >>> model = keras.Sequential([keras.Input((8, 8, 16)), keras.layers.Conv2D(32, 3, name="conv")])
    >>> model.count_params(), ks.to_separable(model).count_params()
    (4640, 688)

    Reference:
        Howard et al., 2017, arXiv:1704.04861; Guo et al., 2018, arXiv:1804.10973.
    """
    check_rebuildable(model)
    check_count("depth_multiplier", depth_multiplier)
    chosen = _chosen(model, layers)
    reasons = {layer.name: reason for layer in chosen if (reason := _obstacle(layer, depth_multiplier))}
    if reasons:
        lines = "\n".join(f"  {name}: {reason}" for name, reason in reasons.items())
        warnings.warn(f"{len(reasons)} layer(s) stay as they are:\n{lines}", UserWarning, stacklevel=2)
    replaced = [layer for layer in chosen if layer.name not in reasons]
    moments = {} if data is None else _patch_moments(model, replaced, data, batch_size)
    new_kernels = {}

    def exchange(copy, original):
        if not any(original is layer for layer in replaced):
            return copy
        separable = _separable(original, depth_multiplier)
        new_kernels[id(original)] = separable
        return separable

    new = rebuild(model, exchange)
    for layer in replaced:
        _start(new_kernels[id(layer)], layer, depth_multiplier, moments.get(id(layer)))
    return new


def _chosen(model, layers):
    by_default = layers is None
    predicate = select.Predicate(_is_worthwhile) if by_default else layers
    owners = {id(kernel.layer): kernel.layer for kernel in select.find_kernels(model, predicate)}
    if not owners:
        raise ValueError(
            "No layer was chosen. Received: "
            + (
                f"a model without a convolution of more than one pixel on at least {_FEWEST_CHANNELS} "
                "channels. Choose others with layers=."
                if by_default
                else f"{layers=!r}."
            )
        )
    return list(owners.values())


def _is_worthwhile(layer):
    if type(layer) not in _SEPARABLE:
        return False
    *sides, channels, _ = layer.kernel.shape
    return np.prod(sides) > 1 and channels >= _FEWEST_CHANNELS and layer.groups == 1


def _obstacle(layer, multiplier):
    """Returns why a layer cannot be replaced, or ""."""
    if type(layer) not in _SEPARABLE:
        return f"a {type(layer).__name__} has no separable form (Conv1D and Conv2D have)"
    if layer.groups != 1:
        return f"it has {layer.groups} groups already"
    if layer.padding == "causal":
        return "its padding is causal, which a separable convolution does not have"
    if len(set(layer.strides)) > 1:
        return f"its strides {layer.strides} differ, which a depthwise convolution does not take"
    *sides, channels, filters = layer.kernel.shape
    before = np.prod(sides) * channels * filters
    after = channels * multiplier * (np.prod(sides) + filters)
    if after >= before:
        return f"{after:,} multiplications a pixel instead of {before:,}"
    return ""


def _separable(layer, multiplier):
    config = layer.get_config()
    kept = ("name", "trainable", "dtype", "filters", "kernel_size", "strides", "padding", "data_format",
            "dilation_rate", "activation", "use_bias", "bias_initializer", "bias_regularizer",
            "activity_regularizer", "bias_constraint")  # fmt: skip
    # A penalty on the full kernel is one on the pointwise kernel, where nearly all of the weights are.
    return _SEPARABLE[type(layer)].from_config(
        {
            **{name: config[name] for name in kept},
            "depth_multiplier": multiplier,
            "pointwise_regularizer": config["kernel_regularizer"],
        }
    )


def _start(separable, layer, multiplier, moments):
    """Gives the new layer the kernels nearest to those of the old."""
    kernel = np.asarray(keras.ops.convert_to_numpy(layer.kernel), np.float64)
    *sides, channels, filters = kernel.shape
    flat = kernel.reshape(-1, channels, filters)
    if moments is None:
        depthwise, pointwise = low_rank_kernels.nearest(flat, multiplier)
    else:
        depthwise, pointwise = low_rank_kernels.matched(flat, moments, multiplier)
    separable.depthwise_kernel.assign(depthwise.reshape(*sides, channels, multiplier))
    ones = (1,) * len(sides)
    separable.pointwise_kernel.assign(pointwise.reshape(*ones, channels * multiplier, filters))
    if layer.use_bias:
        separable.bias.assign(layer.bias)


def _patch_moments(model, replaced, data, batch_size):
    """Returns `id(layer)` -> second moments of the patches under its kernel, over all of the data."""
    copies = {}
    twin = rebuild(model, lambda copy, original: copies.setdefault(id(original), copy))
    uses = [id(call.layer) for call in trace(model).calls]
    taps = Taps(twin)
    for layer in replaced:
        if uses.count(id(layer)) > 1:
            raise ValueError(
                f"Layer {layer.name!r} is used {uses.count(id(layer))} times; its kernel cannot be matched "
                "to data at all places at once. Leave it out with layers=, or leave out data."
            )
        taps.at_input(copies[id(layer)], layer.name, lambda x, layer=layer: _moments(x, layer))
    totals = {layer.name: 0.0 for layer in replaced}
    for batch in samples.batches(samples.specs_of(twin), data, batch_size, what="data"):
        seen = taps(batch)
        for name in totals:
            totals[name] = totals[name] + np.asarray(seen[name], np.float64)
    return {id(layer): totals[layer.name] for layer in replaced}


def _moments(x, layer):
    """Returns the sum of outer products of all patches of a batch, `(positions * channels,) * 2`."""
    sizes, strides, rates = ([*value] for value in (layer.kernel_size, layer.strides, layer.dilation_rate))
    if x.shape.rank == 3:
        x = x[:, :, tf.newaxis]
        sizes, strides, rates = ([*value, 1] for value in (sizes, strides, rates))
    if layer.data_format == "channels_first":
        x = tf.transpose(x, [0, 2, 3, 1])
    padding = "SAME" if layer.padding == "same" else "VALID"
    patches = tf.image.extract_patches(
        tf.cast(x, tf.float32), [1, *sizes, 1], [1, *strides, 1], [1, *rates, 1], padding
    )
    flat = tf.reshape(patches, [-1, patches.shape[-1]])
    return tf.matmul(flat, flat, transpose_a=True)
