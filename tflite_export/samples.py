"""Checked input samples: representative data for ranges, samples for verification."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class InputSpec:
    """What one input takes: its name, its shape with the batch first (None where free), its dtype."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


def specs_of(model) -> list[InputSpec]:
    """Returns the specs of a Keras model's inputs, in the model's order."""
    return [InputSpec(tensor.name, tuple(tensor.shape), tensor.dtype) for tensor in model.inputs]


def specs_of_file(graph) -> list[InputSpec]:
    """Returns the specs of a file's inputs as real values, in the order of its signature."""
    return [
        InputSpec(
            name, (None, *tensor.shape[1:]), "float32" if tensor.quantization is not None else tensor.dtype
        )
        for name, tensor in graph.named("inputs").items()
    ]


def packed(model, parts):
    """Returns arrays or tensors, one for each input, in the structure in which `model` takes them."""
    import keras

    return parts[0] if len(model.inputs) == 1 else keras.tree.pack_sequence_as(model.input, list(parts))


def predict(model, parts) -> list[np.ndarray]:
    """Returns a Keras model's outputs for whole arrays, one for each input, as a flat list."""
    import keras

    return [np.asarray(y) for y in keras.tree.flatten(model.predict(packed(model, parts), verbose=0))]


def first(data, count: int):
    """Returns the first samples of whole arrays, in the form in which they were given.

    Example:
    >>> first({"x": [1, 2, 3]}, 2)
    {'x': [1, 2]}
    """
    if isinstance(data, dict):
        return {name: values[:count] for name, values in data.items()}
    if isinstance(data, list | tuple):
        return [values[:count] for values in data]
    return data[:count]


def batches(
    specs: Sequence[InputSpec], data, batch_size: int, *, what: str = "representative_data"
) -> Iterator[list[np.ndarray]]:
    """Yields batches as lists with one array for each input, checked and cast to the input's dtype.

    Args:
        specs: The inputs.
        data: An array with the batch dimension first, a list of one such array for each of several
            inputs, a dictionary from names to arrays, or an iterable of batches of these forms.
        batch_size: Largest number of samples in a batch where whole arrays are given.
        what: The name of the argument in error messages.

    Raises:
        ValueError: If there are no samples, or a batch has the wrong number of arrays, a wrong shape,
            or values that are not finite.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1. Received: batch_size={batch_size}.")
    any_sample = False
    for batch in _cut(specs, data, batch_size, what):
        checked = _checked(specs, batch, what)
        any_sample = any_sample or len(checked[0]) > 0
        yield checked
    if not any_sample:
        raise ValueError(f"{what} holds no samples; a few hundred do. Received: an empty sequence.")


def _cut(specs, data, batch_size, what):
    if _is_whole(specs, data):
        parts = _parts(specs, data, what)
        lengths = {len(part) for part in parts}
        if len(lengths) > 1:
            raise ValueError(f"{what} must have as many samples for each input. Received: {sorted(lengths)}.")
        for start in range(0, len(parts[0]), batch_size):
            yield [part[start : start + batch_size] for part in parts]
    elif isinstance(data, str | bytes) or not hasattr(data, "__iter__"):
        raise ValueError(f"{what} must be arrays or an iterable of batches. Received: {type(data).__name__}.")
    else:
        for batch in data:
            yield _parts(specs, batch, what)


def _is_whole(specs, data):
    if hasattr(data, "shape") or isinstance(data, dict):
        return True
    several = isinstance(data, list | tuple) and len(data) == len(specs) > 1
    return several and all(hasattr(part, "shape") for part in data)


def _parts(specs, batch, what):
    if isinstance(batch, dict):
        missing = [spec.name for spec in specs if spec.name not in batch]
        if missing:
            raise ValueError(f"{what} lacks the input(s) {missing}. Received: {sorted(batch)}.")
        batch = [batch[spec.name] for spec in specs]
    parts = list(batch) if isinstance(batch, list | tuple) else [batch]
    return [np.asarray(part) for part in parts]


def _checked(specs, parts, what):
    if len(parts) != len(specs):
        raise ValueError(
            f"{what} must have one array for each of the {len(specs)} input(s) "
            f"{[spec.name for spec in specs]}. Received: {len(parts)} array(s)."
        )
    for spec, part in zip(specs, parts, strict=True):
        fits = part.ndim == len(spec.shape) and all(
            want is None or want == got for want, got in zip(spec.shape[1:], part.shape[1:], strict=True)
        )
        if not fits:
            raise ValueError(
                f"{what} must have shape {(None, *spec.shape[1:])} for input {spec.name!r}. "
                f"Received: shape={part.shape}."
            )
        if part.dtype.kind not in "biuf":
            raise ValueError(f"{what} must be numeric for input {spec.name!r}. Received: dtype={part.dtype}.")
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            raise ValueError(
                f"{what} must be finite for input {spec.name!r}. "
                f"Received: {np.count_nonzero(~np.isfinite(part))} NaN or infinite value(s)."
            )
    return [part.astype(spec.dtype, copy=False) for spec, part in zip(specs, parts, strict=True)]
