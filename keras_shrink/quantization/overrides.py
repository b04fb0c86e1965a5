"""Settings for single layers: which config holds for which layer of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import keras

from keras_shrink import select
from keras_shrink.quantization.config import Config, checked_config
from keras_shrink.weights import Transformed


@dataclass(frozen=True)
class Choices:
    """The config of every layer of a model, and of copies of it that have the same names.

    Attributes:
        config: What holds where nothing else was asked for.
        by_path: Names of nested models and of the layer in the innermost -> its config, None for float.
    """

    config: Config
    by_path: Mapping[tuple[str, ...], Config | None] = field(default_factory=dict)

    def per_layer(self, model) -> dict[int, Config | None]:
        """Returns `id(layer)` -> the config of every layer of `model` with settings of its own."""
        chosen: dict[int, Config | None] = {}
        for names, path in _paths(model):
            # What stands in a layer's place, layers in a model of its name, has the layer's settings.
            known = [names[:length] for length in range(len(names), 0, -1) if names[:length] in self.by_path]
            if known:
                chosen[id(path[-1])] = self.by_path[known[0]]
        return chosen


def choose(model, config=None, overrides=None) -> Choices:
    """Returns the `Choices` that a caller's `config` and `overrides` mean for a model.

    Args:
        model: The model that the predicates of `overrides` are asked about.
        config: A config, None for `Int8()`; or the `Choices` made for a model with the same names.
        overrides: Mapping from a predicate, a function `layer -> bool`, a layer or a list of layers, to the
            config of the layers chosen, None for those that stay float. The first that fits a layer counts.

    Raises:
        ValueError: If a key chooses nothing that its value changes, or a value does not go with `config`.

    Example:
    >>> from keras_shrink.quantization.config import Int8
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="head")])
    >>> choose(model, Int8(weight_bits=4), {select.by_name("head"): Int8()}).by_path
    {('head',): Int8(momentum=0.99, per_channel=True, weight_bits=8)}
    """
    if isinstance(config, Choices):
        return config
    config = checked_config(config)
    if overrides is None:
        return Choices(config)
    if not isinstance(overrides, Mapping):
        raise ValueError(
            "overrides must be a mapping from a predicate to a config or None. "
            f"Received: overrides={overrides!r}. For example {{select.by_name('head'): None}}."
        )
    paths = list(_paths(model))
    by_path: dict[tuple[str, ...], Config | None] = {}
    for key, value in overrides.items():
        predicate = select.as_predicate(key)
        _check_value(predicate, value, config)
        fitting = [(names, path) for names, path in paths if predicate.on_path(_opened(path))]
        if value is not None:
            fitting = [(names, path) for names, path in fitting if _has_kernel(path)]
        if not fitting:
            what = "layer" if value is None else "layer with a kernel"
            there = ", ".join("/".join(names) for names, path in paths if value is None or _has_kernel(path))
            raise ValueError(
                f"An override fits no {what} of the model. Received: overrides={{{predicate}: {value}}}. "
                f"There are: {there}."
            )
        for names, _ in fitting:
            by_path.setdefault(names, value)
    return Choices(config, by_path)


def _check_value(predicate, value, config):
    if value is None and config.activation_bits != 8:
        raise ValueError(
            "Only in an int8 network can layers stay float. "
            f"Received: overrides={{{predicate}: None}} with config={config!r}."
        )
    if value is None or type(value) is type(config):
        return
    kind = type(config).__name__
    raise ValueError(
        f"An override must be another {kind}(...) or None for float: all integer layers of a file share the "
        f"width of activations. Received: overrides={{{predicate}: {value!r}}} with config={config!r}."
    )


def _opened(path):
    """Returns the path with the layer inside a wrapper around weights that are clustered or masked."""
    return (*path, path[-1].layer) if isinstance(path[-1], Transformed) else path


def _has_kernel(path):
    return bool(select.kernels(_opened(path)[-1]))


def _paths(model, before=()) -> Iterator[tuple[tuple[str, ...], tuple[keras.layers.Layer, ...]]]:
    """Yields the names and the layers on the way to each layer that is not itself a model."""
    for layer in model.layers:
        path = (*before, layer)
        if isinstance(layer, keras.Model) and hasattr(layer, "layers"):
            yield from _paths(layer, path)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield tuple(part.name for part in path), path
