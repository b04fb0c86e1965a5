"""Architectures of tf_keras as Keras 3 models, wrappers taken off and remembered."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import keras

from keras_shrink.compat.from_tfmot.reading import CLUSTERED, QUANTIZED, activation_inside

_WRAPPERS = (*QUANTIZED, *CLUSTERED, "PruneLowMagnitude", "QuantizeAnnotate")
_MODELS = ("Functional", "Model", "Sequential")
_MODULES = {"regularizer": "keras.regularizers", "constraint": "keras.constraints"}
_OF_ANY_LAYER = ("name", "trainable", "dtype")


@dataclass(frozen=True)
class TakenOff:
    """A wrapper that was around a layer.

    Attributes:
        kind: Its class.
        stored: Name of the wrapper, under which the file has its variables.
        config: Its settings.
    """

    kind: str
    stored: str
    config: dict[str, Any]


@dataclass(frozen=True)
class Architecture:
    """A Keras 3 model with the weights of its initializers, and what was around its layers.

    Attributes:
        model: The model.
        wrappers: Name of a layer -> the wrapper that was around it.
        rounded: Name of an input -> name of the layer that rounded it.
    """

    model: keras.Model
    wrappers: dict[str, TakenOff]
    rounded: dict[str, str]


def build(config, custom_objects=None) -> Architecture:
    """Returns the Keras 3 model of a config of tf_keras.

    Args:
        config: `{"class_name": ..., "config": ...}`.
        custom_objects: Name -> class, for layers of one's own.

    Raises:
        ValueError: If a layer has no counterpart in Keras 3.
    """
    made = _Building(custom_objects or {})
    return Architecture(made.model(config), made.wrappers, made.rounded)


class _Building:
    def __init__(self, custom_objects):
        self.custom_objects = custom_objects
        self.wrappers = {}
        self.rounded = {}

    def model(self, config):
        """Returns the model of a config; nested models come here as well."""
        if config["class_name"] == "Sequential":
            return self._sequential(config["config"])
        return self._functional(config["config"])

    def _sequential(self, config):
        parts, last = [], None
        for layer in config["layers"]:
            if layer["class_name"] == "QuantizeLayer":
                self.rounded[last] = layer["config"]["name"]
                continue
            shape = layer["config"].get("batch_input_shape")
            if not parts and layer["class_name"] != "InputLayer" and shape:
                parts.append(keras.Input(batch_shape=shape))
            parts.append(self.layer(layer))
            last = layer["config"]["name"]
        return keras.Sequential(parts, name=config["name"])

    def _functional(self, config):
        layers, calls, tensors = {}, [], {}
        for entry in config["layers"]:
            name = entry["name"]
            if entry["class_name"] == "InputLayer":
                tensors[name, 0, 0] = self.layer(entry).output
                continue
            rounds = entry["class_name"] == "QuantizeLayer"
            layers[name] = None if rounds else self.layer(entry)
            calls += [(name, i, node) for i, node in enumerate(entry["inbound_nodes"])]
            if rounds:
                self.rounded[_first(entry["inbound_nodes"][0])] = name
        while calls:
            ready = [call for call in calls if all(key in tensors for key in _keys(call[2]))]
            if not ready:
                raise ValueError(
                    f"The graph of the model has a loop or a missing tensor at {calls[0][0]!r}. The file is "
                    "damaged or of another kind."
                )
            for name, i, node in ready:
                made = _called(layers[name], node, tensors)
                for position, tensor in enumerate(made if isinstance(made, list | tuple) else [made]):
                    tensors[name, i, position] = tensor
            calls = [call for call in calls if call not in ready]
        ends = [
            [tensors[_key(end)] for end in _listed(config[side])]
            for side in ("input_layers", "output_layers")
        ]
        inputs, outputs = (end[0] if len(end) == 1 else end for end in ends)
        return keras.Model(inputs, outputs, name=config["name"])

    def layer(self, entry):
        """Returns the Keras 3 layer of an entry, whose wrapper is noted."""
        kind, config = entry["class_name"], entry["config"]
        if kind in _WRAPPERS:
            inner = self.layer(config["layer"])
            self.wrappers[inner.name] = TakenOff(kind, config["name"], config)
            return inner
        if kind in _MODELS:
            return self.model(entry)
        if kind == "InputLayer":
            batch_shape = config.get("batch_input_shape") or config.get("batch_shape")
            return keras.layers.InputLayer(
                batch_shape=batch_shape, dtype=config["dtype"], name=config["name"]
            )
        made = self.custom_objects.get(kind) or getattr(keras.layers, kind, None)
        if made is None:
            raise ValueError(
                f"There is no layer class {kind!r} in Keras 3. Received: layer {config.get('name')!r}. Pass "
                f"custom_objects={{{kind!r}: ...}}, or build the model of layers, not operations."
            )
        return made.from_config(self._translated(made, config))

    def _translated(self, kind, config):
        """Returns a layer's config with the keys and the nested layers of Keras 3."""
        allowed = set(_OF_ANY_LAYER)
        for parent in kind.__mro__:
            if parent in (keras.layers.Layer, object):
                break
            allowed |= set(inspect.signature(parent.__init__).parameters)
        translated = {}
        for key, value in config.items():
            if key not in allowed or key.endswith("_initializer"):
                continue
            if key.endswith("activation"):
                value = activation_inside(value)
                value = "linear" if value == "NoOpActivation" else value
            elif key == "axis" and isinstance(value, list) and len(value) == 1:
                value = value[0]
            elif isinstance(value, dict) and "class_name" in value:
                value = self._nested(key, value)
            translated[key] = value
        return translated

    def _nested(self, key, value):
        module = next((home for ending, home in _MODULES.items() if key.endswith(ending)), None)
        if module is not None:
            return {"module": module, "registered_name": None, **value}
        if hasattr(keras.layers, value["class_name"]):
            return keras.saving.serialize_keras_object(self.layer(value))
        return value


def _called(layer, node, tensors):
    """Returns what a layer makes of the tensors of a node; None stands for a layer that only rounds."""
    given = [tensors[_key(entry)] for entry in node]
    if layer is None:
        return given[0]
    more = {name: tensors[_key(value)] if _is_tensor(value) else value for name, value in _more(node).items()}
    return layer(given if len(given) > 1 else given[0], **more)


def _keys(node):
    return [_key(entry) for entry in node] + [_key(v) for v in _more(node).values() if _is_tensor(v)]


def _key(entry):
    return tuple(entry[:3])


def _more(node):
    return node[0][3] if len(node[0]) > 3 else {}


def _is_tensor(value):
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)


def _first(node):
    return node[0][0]


def _listed(ends):
    return [ends] if isinstance(ends[0], str) else ends
