"""The verbs: `quantize` makes a model that trains with int8 arithmetic, `calibrate` gives it ranges."""

from __future__ import annotations

import warnings

import keras
import tensorflow as tf

from keras_shrink import select
from keras_shrink.baking import opened
from keras_shrink.quantization.activation_forms import composed_activation
from keras_shrink.quantization.attention_forms import AttentionIsland, FloatAttention
from keras_shrink.quantization.device_evaluation import evaluated_on_device
from keras_shrink.quantization.estimators import as_estimator
from keras_shrink.quantization.expansion import expand
from keras_shrink.quantization.fake_quant import WeightRounding
from keras_shrink.quantization.float_activations import round_weights
from keras_shrink.quantization.float_forms import FloatIsland
from keras_shrink.quantization.kept_structure import KeptStructure, scale_axes
from keras_shrink.quantization.operations import layer_for
from keras_shrink.quantization.overrides import choose
from keras_shrink.quantization.plan import LEFT_OUT, Treatment, make_plan
from keras_shrink.quantization.quick_normalization import quick
from keras_shrink.quantization.ranges import ActivationQuantizer, FixedRange, observing
from keras_shrink.quantization.rules.roles import FIXED_RANGES, FUSED
from keras_shrink.quantization.sixteen_bits import fixed_range, observed_range, without_16_bits
from keras_shrink.quantization.weight_rounding import keeps_8_bits, weight_rounding
from keras_shrink.rebuild import check_rebuildable, rebuild
from keras_shrink.weights import Transformed
from tflite_export import samples


def quantize(model, config=None, *, overrides=None, strict=False):
    """Returns a copy of `model` that computes in training what an int8 device will compute.

    Weights are rounded to their grid at each step while the optimizer trains the float values
    behind them; activations are rounded at the end of each integer operator. Ranges of activations
    start from the first batch that `fit` brings; to use the model without training, give it data
    with `calibrate`. Weights that are exactly zero (pruned) stay zero, and in a clustered model those
    that share a value go on sharing it. BatchNormalization behind a linear layer trains as usual and
    is folded into that layer at export; with a scale per channel this is exact. `evaluate` and `predict` of
    the result round as the device does, where training and a call of it round in float32.

    Args:
        model: A built Functional or Sequential model, usually trained. It is not touched.
        config: What to quantize to. Defaults to `Int8()`.
        overrides: Mapping from a predicate (`select.by_name(...)`, a function `layer -> bool`, a layer or a
            list of layers) to another config for the layers chosen, or to None, which leaves them float: the
            file then converts to float before them and back behind. The first that fits a layer counts.
        strict: Whether a layer that cannot be quantized is an error instead of a warning; either
            names all such layers with their reasons.

    Returns:
        A model with the same layer names. If `model` was compiled, it is compiled alike.

    Raises:
        ValueError: If the model is subclassed, has no shapes yet or is quantized already; with
            `strict`, if a layer cannot be quantized; if BatchNormalization is not folded behind a kernel
            with one scale (without `per_channel`, or clustered with one table); if an override fits no
            layer or does not go with `config`.

    Example:
    >>> import keras, numpy as np, keras_shrink as ks
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    >>> model.compile("adam", "sparse_categorical_crossentropy")
    >>> qat = ks.quantize(model)
    >>> _ = qat.fit(np.random.rand(32, 4), np.random.randint(0, 3, 32), verbose=0)

    Reference:
        Jacob et al., 2018, arXiv:1712.05877.
    """
    check_rebuildable(model)
    if is_quantized(model):
        raise ValueError(
            f"The model is quantized already. Received: model={model.name!r}. Quantize the float one."
        )
    choices = choose(model, config, overrides)
    model, shared = opened(model)
    if choices.config.activation_bits is not None:
        model, shared = expand(model, shared)
    config, own = choices.config, choices.per_layer(model)
    if config.activation_bits is None:
        return round_weights(model, config, KeptStructure(shared))
    left_out = frozenset(key for key, value in own.items() if value is None)
    wide = (
        {"refuse": without_16_bits, "never_alone": ("relu", "relu6")} if config.activation_bits == 16 else {}
    )
    plan = make_plan(model, left_out, **wide)
    if plan.refused:
        _report(plan.refused, strict)
    _report_8_bits(model, plan, choices)
    _require_folded(model, plan, choices)
    kept = KeptStructure(shared)
    kept.check(model, plan.treatments)

    def exchange(copy, original):
        chosen = own.get(id(original)) or config
        return _treat(copy, original, plan.treatments[id(original)], chosen, kept)

    positions = iter(range(len(model.inputs)))

    def behind_input(tensor):
        skipped = next(positions) in plan.unrounded_inputs
        if skipped or not keras.backend.is_float_dtype(tensor.dtype):
            return None
        return observed_range(config, f"{tensor.name}_int{config.activation_bits}")

    return evaluated_on_device(rebuild(model, exchange, behind_input=behind_input, as_class=quick))


def calibrate(
    model,
    representative_data,
    config=None,
    *,
    overrides=None,
    method="minmax",
    batch_size=32,
    strict=False,
):
    """Returns a quantized copy of `model` whose ranges are those seen on data: no training needed.

    This is post-training quantization. The result can be exported or trained on.

    Args:
        model: A built Functional or Sequential model, float or already quantized. Not touched.
        representative_data: Inputs without labels, as the model will see them: an array with the
            batch dimension first, a list of such arrays for several inputs, or an iterable of
            batches. A few hundred samples do.
        config: What to quantize to. Defaults to `Int8()`.
        overrides: Other configs for some layers, as in `quantize`.
        method: How a range is chosen: `"minmax"` holds every value seen, `"moving_average"` the mean
            of the batches' extremes, `"percentile"` 99.99 % of the values, `"mse"` has the least
            mean squared error; or one of `quantization.estimators` with settings of its own.
            Outliers call for the last two, which go over the data twice. Defaults to `"minmax"`.
        batch_size: Samples at a time, where arrays are given.
        strict: As in `quantize`.

    Raises:
        ValueError: As `quantize`, and if the data is empty, of the wrong shape or not finite, or
            if `method` is unknown.

    Example:
    >>> import keras, numpy as np, keras_shrink as ks
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> int8 = ks.calibrate(model, np.random.rand(100, 4))
    """
    estimator = as_estimator(method)
    if is_quantized(model):
        _require_unsaid(model, config, overrides)
        quantized = rebuild(model)
    else:
        quantized = quantize(model, config, overrides=overrides, strict=strict)
    layers = quantized._flatten_layers(include_self=False)
    quantizers = [layer for layer in layers if isinstance(layer, ActivationQuantizer)]
    for quantizer in quantizers:
        quantizer.forget()
    batches = list(samples.batches(samples.specs_of(quantized), representative_data, batch_size))
    for observe in estimator.passes(quantizers) if quantizers else ():
        step = tf.function(
            lambda *parts: quantized(samples.packed(quantized, parts), training=False), reduce_retracing=True
        )
        with observing(observe):
            for batch in batches:
                step(*[tf.convert_to_tensor(part) for part in batch])
    return quantized


def is_quantized(model) -> bool:
    """Returns whether `model` came from `quantize` or `calibrate`."""
    return any(isinstance(layer, ActivationQuantizer | WeightRounding) for layer in model._flatten_layers())


def activation_quantizers(model) -> dict[str, ActivationQuantizer]:
    """Returns the observed ranges of a quantized model: names down to a layer -> its quantizer."""
    found = {}
    for layer in model._flatten_layers(include_self=False, recursive=False):
        if isinstance(layer, ActivationQuantizer):
            found[layer.name] = layer
        inside = activation_quantizers(layer)
        found.update({f"{layer.name}/{name}": quantizer for name, quantizer in inside.items()})
    return found


def _require_unsaid(model, config, overrides):
    if config is None and overrides is None:
        return
    raise ValueError(
        f"A quantized model keeps its config. Received: model={model.name!r}, config={config!r}, "
        f"overrides={overrides!r}. Leave them out, or calibrate the float model."
    )


def _report(refused, strict):
    lines = "\n".join(f"  {name}: {reason}" for name, reason in refused.items())
    text = f"{len(refused)} layer(s) cannot be quantized and stay float:\n{lines}"
    if strict:
        raise ValueError(text.replace(" and stay float", ""))
    warnings.warn(text, UserWarning, stacklevel=3)


def _report_8_bits(model, plan, choices):
    own = choices.per_layer(model)
    reasons = {}
    for layer in model._flatten_layers(include_self=False):
        treatment = plan.treatments.get(id(layer))
        chosen = own.get(id(layer)) or choices.config
        if treatment is None or treatment.role.reason or chosen.weight_bits == 8 or not select.kernels(layer):
            continue
        if reason := keeps_8_bits(layer, is_normalized=treatment.is_normalized):
            reasons[layer.name] = reason
    if reasons:
        lines = "\n".join(f"  {name}: {reason}" for name, reason in reasons.items())
        warnings.warn(f"{len(reasons)} layer(s) keep weights of 8 bits:\n{lines}", UserWarning, stacklevel=3)


def _require_folded(model, plan, choices):
    own = choices.per_layer(model)
    norms = [
        layer.name
        for layer in model._flatten_layers(include_self=False)
        if (treatment := plan.treatments.get(id(layer))) is not None
        and treatment.is_normalized
        and not (own.get(id(layer)) or choices.config).per_channel
    ]
    if norms:
        raise ValueError(
            "With one scale for a whole weight, rounding before and after folding BatchNormalization "
            "differ, so the file would not compute what the model does. Received: per_channel=False and "
            f"BatchNormalization behind {', '.join(norms)}. Fold it first: "
            "keras_shrink.fold_normalization(model)."
        )


def _treat(copy, original, treatment: Treatment, config, kept):
    """Returns the wrapper around `copy` that the plan asks for, or `copy` itself."""
    known = treatment.role
    if not isinstance(copy, keras.layers.Layer):
        stand_in = layer_for(original)
        if stand_in is None:
            return copy
        copy = stand_in
    if known is LEFT_OUT:
        outputs = [observed_range(config, "range")] if treatment.rounds_output else []
        form = AttentionIsland if isinstance(copy, keras.layers.MultiHeadAttention) else FloatIsland
        return form.planned(copy, treatment, weights=kept.others(original, ()), outputs=outputs)
    if known.reason:
        if any(len(node.outputs) > 1 for node in original._inbound_nodes):
            return copy
        form = FloatAttention if isinstance(copy, keras.layers.MultiHeadAttention) else Transformed
        output = observed_range(config, "range")
        return form(copy, weights=kept.others(original, ()), outputs=[output])
    weights = kept.others(original, known.weights)
    for name, axes in known.weights.items():
        chain = kept.of(original, name)
        shared_axes = scale_axes(chain, axes)
        rounding = weight_rounding(original, name, shared_axes, config, is_normalized=treatment.is_normalized)
        weights[name] = [*chain, rounding]
    outputs = _outputs(copy, treatment, config)
    inner = [observed_range(config, f"inner_range_{i}") for i in range(known.inner_ranges)]
    # What a reader rounds is wrapped too: evaluation rounds it where it is computed.
    if weights or outputs or known.form is not Transformed or not known.same_range:
        return known.form.planned(copy, treatment, weights=weights, outputs=outputs, inner=inner)
    return copy


def _outputs(copy, treatment, config):
    """Returns the layers through which the output of `copy` goes: activations and roundings."""
    if not treatment.rounds_output:
        return []
    known = treatment.role
    activation, alone = known.activation, known.is_activation
    fused = activation in FUSED and not known.splits_activation
    if fused and known.output_range is None:
        if not alone:
            copy.activation = keras.activations.linear  # the rounding computes it
        return [observed_range(config, "range", activation=activation)]
    final = observed_range(config, "range")
    if known.output_range is not None:
        final = FixedRange(*known.output_range, name="fixed_range")
    elif activation in FIXED_RANGES:
        final = fixed_range(config, activation)
    composed = None if fused else composed_activation(activation, config.momentum)
    if activation == "linear" or fused or (alone and composed is None):
        return [final]
    step = keras.layers.Activation(activation, name=activation) if composed is None else composed
    # What was one layer are several operators: its activation runs behind its linear part.
    copy.activation = keras.activations.linear
    before = [] if alone else [observed_range(config, "linear_range")]
    return [*before, step, final]
