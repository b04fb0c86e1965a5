"""Where the error of a quantized model comes from, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.analysis.causes import Symptoms, explain
from keras_shrink.flow import trace
from keras_shrink.quantization.channels import input_channels, output_channels
from keras_shrink.quantization.fake_quant import SymmetricWeights, WeightRounding
from keras_shrink.quantization.quantize import calibrate, is_quantized
from keras_shrink.quantization.ranges import ActivationQuantizer, FixedRange
from keras_shrink.rebuild import rebuild
from keras_shrink.taps import OUTPUTS, Taps, replaced
from keras_shrink.weights import Transformed
from tflite_export import samples


@dataclass(frozen=True)
class LayerError:
    """What one layer contributes.

    Attributes:
        name: Name of the layer.
        kind: Its class.
        sqnr_db: Signal to quantization noise of its output in the quantized network, in decibels:
            errors of the layers before it included.
        weight_error: Error energy over signal energy of the model's outputs with only this layer's
            weights rounded.
        activation_error: The same with only its output rounded.
        cause: What is likely wrong.
        remedy: What treats it.
    """

    name: str
    kind: str
    sqnr_db: float
    weight_error: float
    activation_error: float
    cause: str
    remedy: str

    @property
    def error(self):
        """What the layer adds to the error of the outputs: both kinds together."""
        return self.weight_error + self.activation_error


@dataclass(frozen=True)
class QuantizationError:
    """The layers of a model, the one that causes the largest error first; prints as a table.

    Attributes:
        layers: All layers that round something, ranked by `error`.
        sqnr_db: Signal to quantization noise of the model's outputs, in decibels.
    """

    layers: tuple[LayerError, ...]
    sqnr_db: float

    def __str__(self):
        width = max([len("layer"), *(len(layer.name) for layer in self.layers)])
        lines = [
            f"outputs: {self.sqnr_db:.1f} dB signal to quantization noise",
            f"{'layer':{width}}  {'SQNR dB':>7}  {'weights':>8}  {'output':>8}  cause -> remedy",
        ]
        lines += [
            f"{layer.name:{width}}  {layer.sqnr_db:7.1f}  {layer.weight_error:8.1e}  "
            f"{layer.activation_error:8.1e}  {layer.cause} -> {layer.remedy}"
            for layer in self.layers
        ]
        return "\n".join(lines)


def quantization_error(model, data, config=None, *, overrides=None, method="minmax", batch_size=32):
    """Returns which layers cause the error of quantization, why, and what treats it.

    Each layer is quantized alone, weights and output apart, and the error of the model's outputs is
    measured; with everything quantized, each output is compared with the float one. The float network
    is the same model with rounding switched off, so a model after quantization-aware training is
    judged by its own float weights.

    Args:
        model: A built Functional or Sequential model: float, or quantized with known ranges. Not touched.
        data: Inputs without labels, as for `calibrate`. A hundred samples do: they pass twice per layer.
        config: For a float model, what to quantize to. Defaults to `Int8()`.
        overrides: For a float model, other configs for some layers, as in `quantize`.
        method: For a float model, how `calibrate` chooses ranges.
        batch_size: Samples at a time, where arrays are given.

    Returns:
        A `QuantizationError`: frozen; `print` shows it as a table.

    Raises:
        ValueError: As `calibrate`.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="fc")])
    >>> report = quantization_error(model, np.random.rand(64, 4))
    >>> sorted(layer.name for layer in report.layers)[0]
    'fc'
    """
    batches = list(samples.batches(samples.specs_of(model), data, batch_size, what="data"))
    ready = is_quantized(model)
    quantized = (
        rebuild(model) if ready else calibrate(model, batches, config, overrides=overrides, method=method)
    )
    units = _units(quantized)
    switches = tf.Variable(np.zeros((len(units), 2), bool))
    places: dict[int, tuple[int, int]] = {}
    parts = []
    for row, unit in enumerate(units):
        for part in unit.parts:
            places.setdefault(id(part), (row, int(not isinstance(part, WeightRounding))))
            parts.append(part)
    parts = list({id(part): part for part in parts}.values())

    def switched(part, call):
        row, column = places[id(part)]
        unrounded = part.activated if isinstance(part, ActivationQuantizer) else tf.identity

        def run(x, training=None):
            return tf.where(switches[row, column], call(x, training=training), unrounded(x))

        return run

    with replaced(parts, switched):
        alone = _errors_alone(quantized, switches, batches)
        seen, sqnr = _compare(quantized, units, switches, batches)
    layers = [_layer_error(unit, seen, *errors) for unit, errors in zip(units, alone, strict=True)]
    return QuantizationError(tuple(sorted(layers, key=lambda layer: -layer.error)), sqnr)


@dataclass(frozen=True)
class _Unit:
    """A layer of the quantized model with everything in it that rounds."""

    layer: keras.layers.Layer
    parts: tuple[keras.layers.Layer, ...]
    joined: tuple[str, ...]

    @property
    def key(self):
        return str(id(self.layer))  # names may repeat in nested models

    @property
    def inner(self):
        return self.layer.layer if isinstance(self.layer, Transformed) else self.layer


def _units(quantized) -> list[_Unit]:
    flow = trace(quantized)
    found: dict[int, _Unit] = {}
    for call in flow.calls:
        layer = call.layer
        if id(layer) in found or not isinstance(layer, keras.layers.Layer):
            continue
        inside = [layer, *layer._flatten_layers(include_self=False)]
        rounding = WeightRounding | ActivationQuantizer | FixedRange
        parts = tuple(part for part in inside if isinstance(part, rounding))
        makers = [str(id(flow.makers[key].layer)) for key in call.inputs if key in flow.makers]
        inner = layer.layer if isinstance(layer, Transformed) else layer
        joined = tuple(makers) if isinstance(inner, keras.layers.Concatenate) else ()
        if parts or joined:
            found[id(layer)] = _Unit(layer, parts, joined)
    return list(found.values())


def _errors_alone(quantized, switches, batches):
    """Returns for each layer the relative errors of the outputs, weights and output quantized alone."""
    run = tf.function(
        lambda *parts: tf.nest.flatten(quantized(samples.packed(quantized, parts), training=False)),
        reduce_retracing=True,
    )

    def outputs():
        return [[y.numpy() for y in run(*map(tf.convert_to_tensor, batch))] for batch in batches]

    count = switches.shape[0]
    switches.assign(np.zeros((count, 2), bool))
    promised = outputs()
    errors = []
    for row in range(count):
        pair = []
        for column in (0, 1):
            one = np.zeros((count, 2), bool)
            one[row, column] = True
            switches.assign(one)
            pair.append(_relative_error(promised, outputs()))
        errors.append(pair)
    return errors


def _relative_error(promised, computed):
    noise = signal = 0.0
    for these, those in zip(promised, computed, strict=True):
        for a, b in zip(these, those, strict=True):
            noise += float(np.sum((a.astype(np.float64) - b) ** 2))
            signal += float(np.sum(a.astype(np.float64) ** 2))
    return noise / max(signal, 1e-30)


class _Comparison:
    """Float and quantized values of one tensor, added up over the batches."""

    def __init__(self):
        self.signal = self.noise = 0.0
        self.count = 0
        self.low = self.high = self.shift = np.zeros(())
        self.tails: list[float] = []

    def add(self, promised, computed):
        a = promised.reshape(-1, promised.shape[-1]).astype(np.float64)
        b = computed.reshape(a.shape)
        self.low = a.min(axis=0) if not self.count else np.minimum(self.low, a.min(axis=0))
        self.high = a.max(axis=0) if not self.count else np.maximum(self.high, a.max(axis=0))
        self.shift = self.shift + (b - a).sum(axis=0)
        self.signal += float(np.sum(a**2))
        self.noise += float(np.sum((a - b) ** 2))
        self.tails.append(float(np.percentile(np.abs(a), 99.9)))
        self.count += len(a)

    @property
    def largest(self):
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def shifted(self):
        return float(np.sum((self.shift / self.count) ** 2) * self.count / max(self.noise, 1e-30))


def _compare(quantized, units, switches, batches):
    """Returns key of a unit -> its comparison, and the SQNR of the outputs."""
    taps = Taps(quantized)

    def reading(layer, call):
        return taps.reading(str(id(layer)), call, lambda y: tf.nest.flatten(y)[0])

    with replaced([unit.layer for unit in units], reading):
        seen = {unit.key: _Comparison() for unit in units}
        promised_outputs, computed_outputs = [], []
        for batch in batches:
            switches.assign(np.zeros(switches.shape, bool))
            promised = taps(batch)
            switches.assign(np.ones(switches.shape, bool))
            computed = taps(batch)
            for key, comparison in seen.items():
                comparison.add(promised[key].numpy(), computed[key].numpy())
            promised_outputs.append([y.numpy() for y in promised[OUTPUTS]])
            computed_outputs.append([y.numpy() for y in computed[OUTPUTS]])
    return seen, _decibels(1.0, _relative_error(promised_outputs, computed_outputs))


def _decibels(signal, noise):
    return float(10 * np.log10(max(signal, 1e-30) / max(noise, 1e-30)))


def _layer_error(unit: _Unit, seen, weight_error, activation_error):
    comparison = seen[unit.key]
    joined = [seen[key].largest.max() for key in unit.joined if key in seen]
    inner = unit.inner
    weights = [part for part in unit.parts if isinstance(part, SymmetricWeights)]
    per_tensor = any(part.reduce_axes is None for part in weights)
    symptoms = Symptoms(
        weight_error=weight_error,
        activation_error=activation_error,
        per_tensor=per_tensor,
        weight_spread=_weight_spread(inner, output_channels(inner)) if weights else 1.0,
        input_spread=_weight_spread(inner, _sharing(inner, per_tensor)) if weights else 1.0,
        channel_spread=_spread(comparison.largest),
        outlier=float(comparison.largest.max() / max(np.mean(comparison.tails), 1e-12)),
        stuck=float(np.mean(comparison.low == comparison.high)),
        clips_at_six=getattr(inner, "max_value", None) == 6
        or getattr(getattr(inner, "activation", None), "__name__", "") == "relu6",
        joins=float(max(joined) / max(min(joined), 1e-12)) if joined else 1.0,
        shifted=comparison.shifted,
    )
    cause, remedy = explain(symptoms)
    return LayerError(
        name=unit.layer.name,
        kind=type(inner).__name__,
        sqnr_db=_decibels(comparison.signal, comparison.noise),
        weight_error=weight_error,
        activation_error=activation_error,
        cause=cause,
        remedy=remedy,
    )


def _sharing(layer, per_tensor):
    """Returns where input channels lie that share a scale: those of a depthwise kernel may have their own."""
    inputs, outputs = input_channels(layer), output_channels(layer)
    if inputs is None or outputs is None or per_tensor:
        return inputs
    return None if set(inputs.axes) <= set(outputs.axes) else inputs


def _weight_spread(layer, channels):
    return 1.0 if channels is None else _spread(channels.largest(np.asarray(getattr(layer, channels.weight))))


def _spread(largest):
    used = largest[largest > 0]
    return float(used.max() / np.median(used)) if used.size else 1.0
