"""Cross-layer equalization: the same network with channels of alike ranges."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import keras
import numpy as np

from keras_shrink.flow import Flow, trace
from keras_shrink.quantization.channels import ChannelAxes, input_channels, output_channels
from keras_shrink.quantization.folding import fold_normalization, linear_layers, next_call, with_weights
from keras_shrink.quantization.rules import activation_name

# f(s x) = s f(x) for s > 0, channel by channel.
_CHANNELWISE = (
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.UpSampling1D,
    keras.layers.UpSampling2D,
)
_HOMOGENEOUS = ("linear", "relu", "leaky_relu")


@dataclass(frozen=True)
class _Pair:
    first: keras.layers.Layer
    second: keras.layers.Layer
    outputs: ChannelAxes
    inputs: ChannelAxes
    clipped: tuple[keras.layers.Layer, ...]


def equalize(model, *, replace_relu6=False, max_rounds=40):
    """Returns a float copy of `model` whose layers have channels of alike ranges.

    Where one linear layer feeds another through a ReLU, a channel between them can be divided by any
    `s > 0` in the first and multiplied by it in the second. With `s = sqrt(r1 / r2)`, where `r1` and
    `r2` are the channel's largest weights in the two, both get the same range, so that neither a scale
    for the whole tensor of weights nor one for the activations wastes its levels on a few wide
    channels. BatchNormalization is folded first. The outputs are those of `model` up to float rounding.

    Args:
        model: A built, trained Functional or Sequential float model. It is not touched.
        replace_relu6: Whether ReLU6 between two layers becomes ReLU, for which scaling is exact; the
            outputs then differ where the network did clip at 6. Defaults to leaving those pairs out
            with a warning.
        max_rounds: Largest number of times that all pairs are gone through; ends early when the scales
            no longer change.

    Raises:
        ValueError: If the model is subclassed or has no shapes yet, or `max_rounds < 1`.

    Example:
    >>> model = keras.Sequential(
    ...     [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)]
    ... )
    >>> equalized = equalize(model)
    >>> a, b = (layer.kernel.numpy() for layer in equalized.layers)
    >>> bool(np.allclose(abs(a).max(axis=0), abs(b).max(axis=1), rtol=1e-3))
    True

    Reference:
        Nagel et al., 2019, arXiv:1906.04721, section 4.1.
    """
    if max_rounds < 1:
        raise ValueError(f"max_rounds must be at least 1. Received: max_rounds={max_rounds}.")
    folded = fold_normalization(model)
    pairs = _pairs(trace(folded))
    if not replace_relu6:
        pairs = _without_relu6(pairs)
    weights = {
        (id(layer), weight.name): keras.ops.convert_to_numpy(weight).astype(np.float64)
        for pair in pairs
        for layer in (pair.first, pair.second)
        for weight in layer.weights
    }
    for _ in range(max_rounds):
        change = max((_equalize_pair(pair, weights) for pair in pairs), default=0.0)
        if change < 1e-3:
            break
    for pair in pairs:
        for layer in (pair.first, pair.second):
            for weight in layer.weights:
                weight.assign(weights[id(layer), weight.name])
    clipped = {id(layer) for pair in pairs for layer in pair.clipped}
    return with_weights(folded, change=lambda copy, original: _to_relu(copy, id(original) in clipped))


def _pairs(flow: Flow) -> list[_Pair]:
    once = {id(call.layer) for call in linear_layers(flow)}
    pairs = []
    for call in linear_layers(flow):
        outputs = output_channels(call.layer)
        clipped: tuple[keras.layers.Layer, ...] = ()
        activation = activation_name(call.layer.activation)
        clipped += (call.layer,) if activation == "relu6" else ()
        if activation not in (*_HOMOGENEOUS, "relu6"):
            continue
        reader = next_call(flow, call.outputs[0])
        while reader is not None and (kind := _passes(reader.layer)):
            clipped += (reader.layer,) if kind == "relu6" else ()
            reader = next_call(flow, reader.outputs[0])
        if reader is not None and id(reader.layer) in once:
            inputs = input_channels(reader.layer)
            if outputs is not None and inputs is not None:
                pairs.append(_Pair(call.layer, reader.layer, outputs, inputs, clipped))
    return pairs


def _passes(layer) -> str:
    """Returns how a layer between two linear ones scales: `"relu6"`, another name, or `""` if it does not."""
    if isinstance(layer, keras.layers.ReLU):
        if layer.threshold:
            return ""
        return {None: "relu", 6: "relu6"}.get(layer.max_value, "")
    if isinstance(layer, keras.layers.LeakyReLU):
        return "leaky_relu"
    if isinstance(layer, keras.layers.Activation):
        name = activation_name(layer.activation)
        return name if name in (*_HOMOGENEOUS, "relu6") else ""
    return "channelwise" if isinstance(layer, _CHANNELWISE) else ""


def _without_relu6(pairs):
    kept = [pair for pair in pairs if not pair.clipped]
    if len(kept) < len(pairs):
        names = ", ".join(pair.first.name for pair in pairs if pair.clipped)
        warnings.warn(
            f"{len(pairs) - len(kept)} pair(s) of layers are left as they are, since a ReLU6 between them "
            f"clips at a fixed value: those behind {names}. Pass replace_relu6=True to make it a ReLU.",
            UserWarning,
            stacklevel=3,
        )
    return kept


def _equalize_pair(pair: _Pair, weights) -> float:
    """Scales the channels between two layers; returns the largest change as `|log s|`."""
    first, second = (id(pair.first), pair.outputs.weight), (id(pair.second), pair.inputs.weight)
    r1, r2 = pair.outputs.largest(weights[first]), pair.inputs.largest(weights[second])
    # A channel that is zero on either side has no range to equalize.
    s = np.sqrt(np.divide(r1, r2, out=np.ones_like(r1), where=(r1 > 0) & (r2 > 0)))
    weights[first] = pair.outputs.scaled(weights[first], 1 / s)
    weights[second] = pair.inputs.scaled(weights[second], s)
    if pair.first.use_bias:
        weights[id(pair.first), "bias"] = weights[id(pair.first), "bias"] / s
    return float(np.abs(np.log(s)).max(initial=0.0))


def _to_relu(copy, is_clipped):
    if not is_clipped:
        return
    if isinstance(copy, keras.layers.ReLU):
        copy.max_value = None
    else:
        copy.activation = keras.activations.relu
