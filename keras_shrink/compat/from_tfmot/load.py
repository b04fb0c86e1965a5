"""`load_tfmot`: a model saved with tfmot's wrappers as a Keras 3 model that goes on from there."""

from __future__ import annotations

import warnings

import keras
import numpy as np

from keras_shrink import Int8, cluster, keep_zeros, quantize, select
from keras_shrink.compat.from_tfmot.architecture import Architecture, build
from keras_shrink.compat.from_tfmot.reading import CLUSTERED, QUANTIZED, SavedModel, read_saved
from keras_shrink.quantization.plan import make_plan
from keras_shrink.quantization.ranges import ActivationQuantizer
from keras_shrink.quantization.rules import role
from keras_shrink.weights import Transformed

_BOOKKEEPING = ("mask", "threshold", "pruning_step", "optimizer_step")


def load_tfmot(path, *, custom_objects=None):
    """Returns the Keras 3 model of a file that tf_keras saved with tfmot's wrappers in it.

    Pruned layers come without wrapper, their zeros exact and held in further training. Clustered ones are
    those of `keras_shrink.cluster`, quantized ones those of `keras_shrink.quantize`: with the ranges of the
    file, so that it converts to the same scales. A file without wrappers gives a plain model. Neither tfmot
    nor tf_keras is needed. The model is not compiled.

    What differs: weights are rounded by their largest value as it is, where tfmot took that of the step
    before; layers that were not quantized stay float.

    Args:
        path: `.h5` file, or `.keras` file of tf_keras (not for clustered layers).
        custom_objects: Name -> Keras 3 class, for layers of one's own.

    Raises:
        ValueError: If the file is of another kind, a layer has no counterpart, or weights do not fit.

    Example:
    >>> load_tfmot("qat.h5")
    Traceback (most recent call last):
    ...
    ValueError: There is no such file. Received: path='qat.h5'.
    """
    saved = read_saved(path)
    architecture = build(saved.config, custom_objects)
    counts, tables = _fill(architecture, saved)
    model = architecture.model
    if counts:
        model = cluster(
            model,
            {select.by_layer(layer): count for layer, (count, _) in counts.items()},
            layers=select.by_layer(*counts),
            per_channel=select.by_layer(*tables),
            keep_zeros=any(keeps for _, keeps in counts.values()),
        )
    quantized = [name for name, wrapper in architecture.wrappers.items() if wrapper.kind in QUANTIZED]
    if quantized:
        return _quantized(model, architecture, saved, set(quantized))
    if any(wrapper.kind == "PruneLowMagnitude" for wrapper in architecture.wrappers.values()):
        keep_zeros(model)
    return model


def _fill(architecture: Architecture, saved: SavedModel):
    """Fills in weights; returns layer -> (clusters, whether zeros stay), and the layers with tables."""
    counts: dict[keras.layers.Layer, tuple[int, bool]] = {}
    tables: list[keras.layers.Layer] = []
    stored = [pair for pairs in saved.variables.values() for pair in pairs]
    for layer in architecture.model._flatten_layers(include_self=False, recursive=True):
        if not layer.weights or any(layer is not part and part.weights for part in _parts(layer)):
            continue
        wrapper = architecture.wrappers.get(layer.name)
        name = wrapper.stored if wrapper else layer.name
        pairs = saved.variables.get(name)
        if pairs is None:  # inside a nested model
            pairs = [pair for pair in stored if {layer.name, name} & set(pair[0].split("/"))]
        values = _matched(layer, pairs)
        extra = {path.rpartition("/")[2]: array for path, array in pairs}
        if wrapper and wrapper.kind == "PruneLowMagnitude":
            masks = [array for path, array in pairs if path.rpartition("/")[2] == "mask"]
            values = _masked(values, masks)
        for centroids, shape in _clusters(extra):
            i = next(i for i, value in enumerate(values) if value.shape == shape)
            keeps = wrapper is not None and bool(wrapper.config.get("preserve_sparsity", True))
            if wrapper is not None and wrapper.kind in CLUSTERED:  # one that is quantized has its values
                values[i] = _nearest(values[i], centroids, keeps)
            counts[layer] = (max(centroids.shape[-1], counts.get(layer, (0, keeps))[0]), keeps)
            tables += [layer] if centroids.ndim > 1 else []
        if wrapper and wrapper.kind in QUANTIZED:
            values = [_with_range(value, extra) for value in values]
        layer.set_weights(values)
    return counts, tables


def _parts(layer):
    return layer._flatten_layers() if isinstance(layer, keras.Model) else (layer,)


def _matched(layer, pairs):
    """Returns the stored arrays in the order of a layer's weights: by name and shape, else by shape."""
    left = [pair for pair in pairs if pair[0].rpartition("/")[2] not in _BOOKKEEPING]
    values = []
    for weight in layer.weights:
        shape = tuple(weight.shape)
        fitting = [pair for pair in left if pair[1].shape == shape]
        named = [
            pair
            for pair in fitting
            if pair[0].rpartition("/")[2] in (weight.name, f"depthwise_{weight.name}")
        ]
        nameless = [pair for pair in fitting if pair[0] == ""]
        if not named and not nameless:
            there = [(name, array.shape) for name, array in pairs]
            raise ValueError(
                f"The file has no weight {weight.name!r} of shape {shape} for layer {layer.name!r}. "
                f"Received: {there}. Save the model as .h5, or pass the layer's class in custom_objects."
            )
        taken = (named or nameless)[0]
        left = [pair for pair in left if pair is not taken]
        values.append(taken[1])
    return values


def _with_range(value, extra):
    """Returns a kernel whose largest weights lie on the ends of the range that the file has for it.

    The range is that of the step before the last, so the largest weight may have moved a little; the scale
    of a kernel is taken from its largest weight.
    """
    ends = [array for name, array in extra.items() if name.endswith("kernel_max")]
    if value.ndim < 2 or len(ends) != 1:
        return value
    axes = tuple(range(value.ndim)) if ends[0].size == 1 else tuple(range(value.ndim - 1))
    high = ends[0].reshape([1] * (value.ndim - 1) + [-1])
    clipped = np.clip(value, -high, high)
    size = np.abs(clipped)
    largest = (size == size.max(axis=axes, keepdims=True)) & (size > high * (1 - 0.5 / 127))
    return np.where(largest, np.sign(clipped) * high, clipped).astype(np.float32)


def _masked(values, masks):
    masks, masked = list(masks), []
    for value in values:
        mask = next((mask for mask in masks if mask.shape == value.shape), None)
        masks = [other for other in masks if other is not mask]
        masked.append(value if mask is None else value * mask)
    return masked


def _clusters(extra):
    """Returns pairs of centroids and the shape of the weight that they belong to."""
    pairs = {name: name.replace("cluster_centroids", "pulling_indices") for name in extra}
    return [(extra[name], extra[other].shape) for name, other in pairs.items() if name != other]


def _nearest(weights, centroids, with_zero):
    """Returns the weights with each the nearest centroid, the smallest of which is zero if asked for."""
    if centroids.ndim > 1:  # one row for each channel out
        columns = [_nearest(weights[..., i], row, with_zero) for i, row in enumerate(centroids)]
        return np.stack(columns, axis=-1)
    centroids = np.sort(centroids)
    if with_zero:
        centroids = np.where(np.abs(centroids) == np.abs(centroids).min(), 0, centroids)
    places = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, weights)
    return centroids[places].astype(np.float32)


def _quantized(model, architecture: Architecture, saved: SavedModel, wrapped):
    extras = {
        name: {path.rpartition("/")[2]: array for path, array in saved.variables[wrapper.stored]}
        for name, wrapper in architecture.wrappers.items()
        if name in wrapped and wrapper.stored in saved.variables
    }
    quantized = quantize(model, overrides=_overrides(model, wrapped, extras))
    unknown = []
    for layer in quantized._flatten_layers(include_self=False, recursive=False):
        if isinstance(layer, ActivationQuantizer):
            stored = architecture.rounded.get(layer.name.removesuffix("_int8"), "")
            unknown += _set(layer, [array for _, array in saved.variables.get(stored, [])], layer.name)
        elif isinstance(layer, Transformed):
            extra = extras.get(layer.name, {})
            for step in [*layer.outputs_through, *layer.inner]:
                if isinstance(step, ActivationQuantizer):
                    before = step.name == "linear_range"
                    names = ("pre_activation",) if before else ("post_activation", "output")
                    ends = ([extra[f"{n}_min"], extra[f"{n}_max"]] for n in names if f"{n}_min" in extra)
                    unknown += _set(step, next(ends, []), f"{layer.name}/{step.name}")
    if unknown:
        warnings.warn(
            f"The file has no range for {', '.join(unknown)}: tfmot rounds at other places there. Train with "
            "fit, or take all ranges from data with keras_shrink.calibrate(model, data).",
            stacklevel=3,
        )
    return quantized


def _overrides(model, wrapped, extras):
    """Returns the layers with one scale for a whole weight, and those that tfmot left float."""
    plan = make_plan(model)
    one_scale, left = [], []
    for layer in model.layers:
        plain = layer.layer if isinstance(layer, Transformed) else layer
        known = role(plain)
        if layer.name not in wrapped:
            is_silent = known.same_range or known.is_identity or isinstance(layer, keras.layers.InputLayer)
            left += [] if is_silent else [layer.name]
            continue
        ends = [array for name, array in extras.get(layer.name, {}).items() if name.endswith("kernel_min")]
        treatment = plan.treatments.get(id(layer))
        folds = treatment is not None and treatment.is_normalized
        if ends and not folds and not isinstance(layer, Transformed) and all(end.size == 1 for end in ends):
            one_scale.append(layer.name)
    overrides = {_named(one_scale): Int8(per_channel=False)} if one_scale else {}
    return {**overrides, **({_named(left): None} if left else {})} or None


def _named(names):
    chosen = frozenset(names)
    return select.Predicate(lambda layer: layer.name in chosen, description=f"named{tuple(names)}")


def _set(quantizer, ends, name):
    """Sets a range; returns the name as a list where there is none."""
    if len(ends) < 2:
        return [name]
    low, high = (float(np.asarray(end)) for end in ends[:2])
    quantizer.set_range(min(low, 0.0), max(high, 1e-5))
    return []
