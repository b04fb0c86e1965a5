"""Values that a model computes on its way: its outputs, and the outputs of layers inside it."""

from __future__ import annotations

import dataclasses

import keras

from keras_shrink.taps import replaced

_SHAPES_ONLY = (
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Permute,
    keras.layers.Identity,
    keras.layers.Dropout,
)


@dataclasses.dataclass(frozen=True)
class Place:
    """A value in a model, as far as it is known before the model runs.

    Attributes:
        name: `"output/0"`, or `"layer/..."` with the name of a layer.
        shape: Its shape, batch dimension included.
        activation: `"softmax"`, `"sigmoid"`, `"linear"`, or `""` where the model does not tell.
    """

    name: str
    shape: tuple
    activation: str = ""


class Watched:
    """A model that also gives the values at the places asked for; the model is left as it is.

    Args:
        model: Any Keras model.
        layers: Names of layers whose outputs are wanted; `"encoder/conv"` for one inside another.

    Example:
    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="fc"), keras.layers.ReLU()])
    >>> outputs, values = Watched(model, ["fc"])(np.ones((1, 2), "float32"))
    >>> sorted(values)
    ['layer/fc', 'output/0']
    """

    def __init__(self, model, layers=()):
        self.model = model
        self.layers = {name: find_layer(model, name) for name in layers}

    def __call__(self, x, *, training=False):
        """Returns the model's outputs, and place -> tensor, from one forward pass."""
        seen = {}
        names = {id(layer): name for name, layer in self.layers.items()}

        def watching(layer, call):
            name = names[id(layer)]

            def watched(*args, **kwargs):
                if name in seen:
                    raise ValueError(
                        f"Layer {name!r} of {self.model.name!r} is called more than once, so it has no one "
                        "output to learn from or to teach. Choose a layer that is called once."
                    )
                seen[name] = call(*args, **kwargs)
                return seen[name]

            return watched

        with replaced(self.layers.values(), watching):
            outputs = self.model(x, training=training)
        missing = [name for name in self.layers if name not in seen]
        if missing:
            raise ValueError(f"{self.model.name!r} was run without calling its layers {missing}.")
        values = {f"layer/{name}": keras.tree.flatten(value)[0] for name, value in seen.items()}
        values |= {f"output/{i}": value for i, value in enumerate(keras.tree.flatten(outputs))}
        return outputs, values

    def places(self, x=None, *, training=False):
        """Returns name -> `Place` without computing anything.

        Args:
            x: Inputs of which only shape and dtype count; by default the model's own `Input` says them.
            training: Whether the model runs in training mode: a quantized one that has seen no data must.
        """
        if x is None:
            x = self.model.inputs[0] if isinstance(self.model, keras.Sequential) else self.model.input
        inputs = keras.tree.map_structure(lambda v: keras.KerasTensor(v.shape, dtype=v.dtype), x)
        if not self.model.built:  # which calls the layers once before the call that counts
            keras.src.backend.compute_output_spec(self.model, inputs)
        values = keras.src.backend.compute_output_spec(lambda v: self(v, training=training)[1], inputs)
        return {
            name: Place(name, tuple(value.shape), self._activation(name)) for name, value in values.items()
        }

    def _activation(self, name):
        kind, _, index = name.partition("/")
        outputs = getattr(self.model, "outputs", None)
        return final_activation(outputs[int(index)]) if kind == "output" and outputs else ""


def knows_its_inputs(model):
    """Returns whether a model has symbolic inputs: a subclassed one learns of them with its first batch."""
    return bool(getattr(model, "inputs", None)) and model.built


def find_layer(model, name):
    """Returns the layer of that name in a model, nested models and wrappers looked into.

    Args:
        model: A Keras model.
        name: A layer's name, or names from the outermost on, joined by `/`.

    Raises:
        ValueError: If there is none or more than one.
    """
    found = [model]
    for part in name.split("/"):
        found = [inner for layer in found for inner in _outermost(layer, part)]
    if len(found) != 1:
        known = [layer.name for layer in model._flatten_layers(include_self=False)]
        raise ValueError(
            f"{len(found)} layers of {model.name!r} have that name, and it must be one. "
            f"Received: {name!r}. It has {known}; a layer inside another is 'outer/inner'."
        )
    return found[0]


def _outermost(layer, name, seen=None):
    """Returns the layers called `name` in `layer`, not those that are inside one of them."""
    seen = set() if seen is None else seen
    found = []
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        found += [inner] if inner.name == name else _outermost(inner, name, seen)
    return found


def final_activation(tensor):
    """Returns the name of the activation that makes an output of a Functional model; `"linear"` for none."""
    layer, node_index, tensor_index = tensor._keras_history
    while isinstance(layer, keras.layers.Wrapper) and not isinstance(layer, keras.layers.Bidirectional):
        layer = layer.layer
    if isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
        return final_activation(layer.outputs[tensor_index])
    if isinstance(layer, _SHAPES_ONLY):
        node = tensor._keras_history.operation._inbound_nodes[node_index]
        return final_activation(node.input_tensors[0])
    kind = type(layer).__name__.lower()
    if kind in ("softmax", "sigmoid"):  # layers.Softmax, ops.softmax, ops.sigmoid
        return kind
    return getattr(getattr(layer, "activation", None), "__name__", "linear")
