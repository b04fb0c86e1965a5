"""Bias correction: takes out what rounding the weights adds to the means of activations."""

from __future__ import annotations

import keras
import numpy as np

from keras_shrink.flow import trace
from keras_shrink.quantization.channels import output_channels
from keras_shrink.quantization.folding import fold_normalization, linear_layers, with_weights
from keras_shrink.quantization.overrides import choose
from keras_shrink.quantization.quantize import calibrate
from keras_shrink.rebuild import rebuild
from keras_shrink.taps import OUTPUTS, Taps, channel_mean
from keras_shrink.weights import Transformed
from tflite_export import samples


def correct_bias(model, representative_data, config=None, *, overrides=None, method="minmax", batch_size=32):
    """Returns a float copy of `model` whose quantized outputs have the float model's means.

    Rounding shifts the mean of each channel: `E[w_int8 x_int8] - E[w x]` is not zero, and a network of
    depthwise convolutions, with few weights per channel, feels it. Layer by layer, each seeing inputs
    from the layers already corrected, the difference is measured before the activation and taken out
    of the bias. BatchNormalization is folded first. The result belongs to this `config` and `method`:
    give the same to `calibrate`.

    Args:
        model: A built, trained Functional or Sequential float model. It is not touched.
        representative_data: As for `calibrate`; it is gone through once per layer.
        config: What will be quantized to. Defaults to `Int8()`.
        overrides: Other configs for some layers, as in `quantize`.
        method: How `calibrate` will choose ranges.
        batch_size: Samples at a time, where arrays are given.

    Raises:
        ValueError: As `calibrate`.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> x = np.random.rand(100, 4)
    >>> int8 = calibrate(correct_bias(model, x), x)

    Reference:
        Nagel et al., 2019, arXiv:1906.04721, section 4.2 (empirical variant).
    """
    choices = choose(model, config, overrides)
    folded = fold_normalization(model)
    corrected = with_weights(folded, biased=[call.layer for call in linear_layers(trace(folded))])
    batches = list(samples.batches(samples.specs_of(corrected), representative_data, batch_size))
    promised = Taps(rebuild(corrected))
    computed = Taps(calibrate(corrected, batches, choices, method=method))
    originals, inner = linear_parts(promised.model), linear_parts(computed.model)
    layers = [layer for name, layer in linear_parts(corrected).items() if name in inner]
    for layer in layers:
        promised.before_activation(originals[layer.name], layer.name, channel_mean)
        computed.before_activation(inner[layer.name], layer.name, channel_mean)
    targets, first = _averages(promised, batches), _averages(computed, batches[:1])
    # A layer that runs as several operators has no one place before its activation.
    layers = [layer for layer in layers if layer.name in targets and layer.name in first]
    for layer in layers:
        shift = targets[layer.name] - _averages(computed, batches)[layer.name]
        bias = keras.ops.convert_to_numpy(layer.bias) + shift
        layer.bias.assign(bias)
        inner[layer.name].bias.assign(bias)
    return corrected


def linear_parts(model):
    """Returns the linear layers of a float or quantized model that are called once: name -> layer.

    Of a quantized model these are the layers inside the wrappers, whose weights are still float.
    """
    found = {}
    counts: dict[str, int] = {}
    for call in trace(model).calls:
        layer = call.layer.layer if isinstance(call.layer, Transformed) else call.layer
        if output_channels(layer) is not None:
            counts[layer.name] = counts.get(layer.name, 0) + 1
            found[layer.name] = layer
    return {name: layer for name, layer in found.items() if counts[name] == 1}


def _averages(taps, batches):
    """Returns key -> mean over all samples of what the taps read of each batch."""
    sums: dict[str, np.ndarray] = {}
    for batch in batches:
        for key, value in taps(batch).items():
            if key == OUTPUTS:
                continue
            sums[key] = sums.get(key, 0.0) + len(batch[0]) * value.numpy().astype(np.float64)
    count = sum(len(batch[0]) for batch in batches)
    return {key: total / count for key, total in sums.items()}
