"""What is known of each layer class: its kernel as a `Layout`, and the layers that take its place."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import layers

from keras_shrink.factorization.forms import FORMS, Layout

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D)
_SUFFIXES = {"basis": ("_basis",), "spatial": ("_rows",), "tucker": ("_reduce", "_core")}


def obstacle(layer):
    """Returns why a layer cannot be factored, or ""."""
    if isinstance(layer, layers.Embedding | layers.Dense) and type(layer) in (layers.Embedding, layers.Dense):
        pass
    elif type(layer) not in _CONVOLUTIONS:
        kinds = ", ".join(kind.__name__ for kind in (layers.Dense, *_CONVOLUTIONS, layers.Embedding))
        return f"a {type(layer).__name__} has no factored form ({kinds} have)"
    elif layer.groups != 1:
        return f"it has {layer.groups} groups"
    if getattr(layer, "quantization_mode", None):
        return f"it is quantized ({layer.quantization_mode})"
    if getattr(layer, "lora_enabled", False):
        return "it has a LoRA adapter"
    if getattr(layer, "kernel_constraint", None) or getattr(layer, "embeddings_constraint", None):
        return "its kernel has a constraint, which is not one of the factors"
    return ""


def weight_of(layer):
    """Returns the variable to factor."""
    return layer.embeddings if isinstance(layer, layers.Embedding) else layer.kernel


def layout_of(layer, shapes):
    """Returns the `Layout` of a layer.

    Args:
        layer: A layer without `obstacle`.
        shapes: Shapes of the inputs of all its calls, batch dimension included.
    """
    kernel = np.asarray(keras.ops.convert_to_numpy(weight_of(layer)), np.float64)
    if isinstance(layer, layers.Embedding):
        positions = sum(_count(shape[1:]) for shape in shapes)
        return Layout(kernel, positions, positions, positions, looked_up=True)
    if isinstance(layer, layers.Dense):
        positions = sum(_count(shape[1:-1]) for shape in shapes)
        return Layout(kernel, positions, positions, positions)
    before = after = rows = 0
    for shape in shapes:
        given, made = (_places(layer, s) for s in (shape, layer.compute_output_shape(shape)))
        before, after = before + _count(given), after + _count(made)
        rows += _count((*made[:1], *given[1:]))
    return Layout(kernel, before, rows, after)


def _places(layer, shape):
    return shape[2:] if layer.data_format == "channels_first" else shape[1:-1]


def _count(sizes):
    """Returns the number of positions, 0 where it is not known."""
    return 0 if None in sizes else math.prod(sizes)


def parts(layer, option):
    """Returns the unbuilt layers that take the place of `layer`, the last with its name.

    Args:
        layer: The layer.
        option: An `Option` with a form.
    """
    if isinstance(layer, layers.Embedding):
        return _embedding_parts(layer, *option.ranks)
    if isinstance(layer, layers.Dense):
        first = {**_inner(layer, "_basis"), "units": option.ranks[0]}
        return [layers.Dense.from_config(first), layers.Dense.from_config(layer.get_config())]
    return _convolution_parts(layer, option)


def _embedding_parts(layer, rank):
    config = layer.get_config()
    table = {**config, "name": f"{layer.name}_basis", "output_dim": rank}
    mixed = layers.Dense(
        layer.output_dim,
        use_bias=False,
        name=layer.name,
        dtype=layer.dtype_policy,
        kernel_regularizer=layer.embeddings_regularizer,
        activity_regularizer=layer.activity_regularizer,
    )
    return [layers.Embedding.from_config({**table, "activity_regularizer": None, "weights": None}), mixed]


def _convolution_parts(layer, option):
    rank = len(layer.kernel_size)
    one = (1,) * rank
    pointwise = {"kernel_size": one, "strides": one, "dilation_rate": one, "padding": "valid"}
    made = [_inner(layer, suffix) for suffix in _SUFFIXES[option.form]]
    last = layer.get_config()
    if option.form == "basis":
        made[0] |= {"filters": option.ranks[0]}
        last |= pointwise
    elif option.form == "tucker":
        made[0] |= {"filters": option.ranks[0], **pointwise}
        made[1] |= {"filters": option.ranks[1]}
        last |= pointwise
    else:
        keys = ("kernel_size", "strides", "dilation_rate")
        made[0] |= {key: (getattr(layer, key)[0], 1) for key in keys} | {"filters": option.ranks[0]}
        last |= {key: (1, getattr(layer, key)[1]) for key in keys}
    return [type(layer).from_config(config) for config in (*made, last)]


def _inner(layer, suffix):
    """Returns the configuration of a factor before the last: neither bias nor activation."""
    plain = {
        "name": f"{layer.name}{suffix}",
        "activation": None,
        "use_bias": False,
        "bias_regularizer": None,
        "activity_regularizer": None,
    }
    return {**layer.get_config(), **plain}


def start(made, layer, option):
    """Gives built layers the factors of the kernel, and the last one the bias."""
    kernel = np.asarray(keras.ops.convert_to_numpy(weight_of(layer)), np.float64)
    for part, factor in zip(made, FORMS[option.form].factors(kernel, option.ranks), strict=True):
        weight_of(part).assign(factor)
        part.trainable = layer.trainable
    if getattr(layer, "use_bias", False):
        made[-1].bias.assign(layer.bias)
