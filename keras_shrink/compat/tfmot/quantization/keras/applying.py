"""`quantize_apply`: annotations in the words of `keras_shrink.quantize`."""

import warnings

import keras
import numpy as np

from keras_shrink import cluster, quantize, select
from keras_shrink.baking import closed
from keras_shrink.compat.tfmot.quantization.keras.annotation import QuantizeAnnotate
from keras_shrink.compat.tfmot.quantization.keras.configs import wish_of
from keras_shrink.compat.tfmot.quantization.keras.quantizers import CustomWeights
from keras_shrink.compat.tfmot.quantization.keras.schemes import Default8BitQuantizeScheme, QuantizeScheme
from keras_shrink.compat.tfmot.wrappers import inner_classes, unmarked
from keras_shrink.quantization.ranges import ActivationQuantizer, FixedRange
from keras_shrink.quantization.rules import role
from keras_shrink.rebuild import check_rebuildable, rebuild
from keras_shrink.weights import Transformed

_LARGEST_TABLE = 256
_FIRST_END = 6.0
_HARDLY_ANY = 1e-9  # batches seen: more than none, and the mean with the first one is the first one


def quantize_model(to_quantize, quantized_layer_name_prefix=None):
    """Returns a copy of a model that trains with int8 arithmetic: `keras_shrink.quantize(model)`.

    Until it sees data its ranges are -6 to 6, so that it converts as it is, which natively is an error.

    Args:
        to_quantize: A built Functional or Sequential model. It is not touched.
        quantized_layer_name_prefix: Is not used: names of layers stay as they are.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="fc")])
    >>> quantize_model(model).get_layer("fc").name
    'fc'
    """
    return _with_first_ranges(quantize(to_quantize))


def quantize_apply(model, scheme=None, quantized_layer_name_prefix=None):
    """Returns a copy of an annotated model that trains with int8 arithmetic.

    Layers without annotation stay float, except those that only pass values on. What a `QuantizeConfig` asks
    for and an int8 file cannot hold is named in a warning, together with what is done instead.

    Args:
        model: A model from `quantize_annotate_model`, or with layers from `quantize_annotate_layer`.
        scheme: A `QuantizeScheme`. Defaults to `Default8BitQuantizeScheme()`.
        quantized_layer_name_prefix: Is not used: names of layers stay as they are.

    Raises:
        ValueError: If nothing is annotated, `scheme` is of another kind, or a width is unknown.

    Example:
    >>> from keras_shrink.compat import tfmot
    >>> marked = tfmot.quantization.keras.quantize_annotate_layer(keras.layers.Dense(2, name="fc"))
    >>> qat = quantize_apply(keras.Sequential([keras.Input((4,)), marked]))
    >>> list(qat.get_layer("fc").weight_transforms)
    ['kernel']
    """
    scheme = Default8BitQuantizeScheme() if scheme is None else scheme
    if not isinstance(scheme, QuantizeScheme) or not hasattr(scheme, "native"):
        raise ValueError(
            f"scheme must be one of the schemes of this package. Received: scheme={scheme!r}. Other choices "
            "for single layers are overrides of keras_shrink.quantize."
        )
    check_rebuildable(model)
    plain, marked = unmarked(model, QuantizeAnnotate)
    annotated = {marker.name: marker.quantize_config for marker in marked}
    if not annotated:
        raise ValueError(
            f"No layer is annotated. Received: model={model.name!r}. Use quantize_annotate_layer, "
            "quantize_annotate_model, or quantize_model for all of it."
        )
    config = scheme.native()
    wishes = {
        layer.name: wish_of(annotated[layer.name], layer, config)
        for layer in plain.layers
        if layer.name in annotated
    }
    _tell(wishes)
    overrides = _overrides(plain, wishes, config)
    if scheme.keeps_clusters:
        plain = _with_clusters(plain, scheme.keeps_zeros)
    custom = {key: quantizer for wish in wishes.values() for key, quantizer in wish.custom.items()}
    if custom:
        plain = closed(plain, {key: [CustomWeights(quantizer)] for key, quantizer in custom.items()})
    with inner_classes(plain):
        quantized = quantize(plain, config, overrides=overrides)
    fixed = {name: wish.fixed for name, wish in wishes.items() if wish.fixed is not None}
    return _with_first_ranges(_with_fixed_ranges(quantized, fixed) if fixed else quantized)


def _with_first_ranges(quantized):
    """Gives every observed range a value that the first batch takes the place of."""
    for layer in quantized._flatten_layers(include_self=False):
        if isinstance(layer, ActivationQuantizer):
            layer.set_range(0.0 if layer.starts_at_zero else -_FIRST_END, _FIRST_END)
            layer.batches_seen.assign(_HARDLY_ANY)
    return quantized


def _overrides(plain, wishes, config):
    """Returns what `quantize` takes as `overrides`."""
    groups: dict = {}
    for layer in plain.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if layer.name in wishes:
            wanted = wishes[layer.name].config
            if wanted == config or (wanted is not None and not select.kernels(layer)):
                continue
        else:
            known = role(layer)
            if known.same_range or known.is_identity:
                continue
            wanted = None
        groups.setdefault(wanted, []).append(layer.name)
    return {_named(names): wanted for wanted, names in groups.items()} or None


def _named(names):
    chosen = frozenset(names)
    return select.Predicate(lambda layer: layer.name in chosen, description=f"named{tuple(names)}")


def _tell(wishes):
    lines = [f"  {name}: {note}" for name, wish in wishes.items() for note in wish.notes]
    if lines:
        text = "\n".join(lines)
        warnings.warn(f"Not all that was asked for can be had in an int8 file:\n{text}", stacklevel=3)


def _with_clusters(plain, keeps_zeros):
    """Returns the model with the values that its kernels share found out; itself where they share none."""
    counts, with_tables = {}, []
    for kernel in select.find_kernels(plain):
        value = keras.ops.convert_to_numpy(kernel.variable)
        rows = np.moveaxis(value, kernel.output_axis, 0).reshape(value.shape[kernel.output_axis], -1)
        in_all, in_a_row = np.unique(value).size, max(np.unique(row).size for row in rows)
        if 2 <= in_all <= _LARGEST_TABLE and 8 * in_all <= value.size:
            counts[kernel.layer] = max(in_all, counts.get(kernel.layer, 0))
        elif 2 <= in_a_row <= _LARGEST_TABLE and 2 * in_a_row <= rows.shape[1]:
            counts[kernel.layer] = max(in_a_row, counts.get(kernel.layer, 0))
            with_tables.append(kernel.layer)
    if not counts:
        return plain
    return cluster(
        plain,
        {select.by_layer(layer): count for layer, count in counts.items()},
        layers=select.by_layer(*counts),
        per_channel=select.by_layer(*with_tables),
        keep_zeros=keeps_zeros,
    )


def _with_fixed_ranges(quantized, fixed):
    """Returns the model with given ranges in the place of the observed ones at the end of some layers."""
    exchanged = []

    def exchange(copy, original):
        ends = fixed.get(original.name) if isinstance(original, Transformed) else None
        if ends is None or not any(isinstance(step, ActivationQuantizer) for step in copy.outputs_through):
            return copy
        outputs = _fixed(copy.outputs_through, ends)
        weights, inner = copy.weight_transforms, copy.inner
        new = type(copy)(copy.layer, weights=weights, outputs=outputs, inner=inner, name=copy.name)
        exchanged.append((original, new))
        return new

    with inner_classes(quantized):
        model = rebuild(quantized, exchange)
    for original, new in exchanged:
        pairs = zip([original.layer, *original.transforms], [new.layer, *new.transforms], strict=True)
        for old, copy in pairs:
            copy.set_weights([keras.ops.convert_to_numpy(weight) for weight in old.weights])
    left = sorted(set(fixed) - {original.name for original, _ in exchanged})
    if left:
        warnings.warn(
            f"The range of {', '.join(left)} is not its own: it is that of the layer behind it, or a "
            "prescribed one. Give the range to the layer behind.",
            stacklevel=3,
        )
    return model


def _fixed(outputs, ends):
    """Returns what a layer's output goes through, the last observed range replaced by a given one."""
    last = max(i for i, step in enumerate(outputs) if isinstance(step, ActivationQuantizer))
    activation = outputs[last].activation
    before = [] if activation == "linear" else [keras.layers.Activation(activation, name="activation")]
    return [*outputs[:last], *before, FixedRange(*ends, name="fixed_range"), *outputs[last + 1 :]]
