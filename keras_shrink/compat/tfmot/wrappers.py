"""Wrappers that mark a layer: what they share, how models that have them are copied, and taking them off."""

import contextlib

import keras

from keras_shrink.rebuild import rebuild

_HELD = ("layer", "quantize_config", "pruning_schedule", "quantizer")


class Marker(keras.layers.Wrapper):
    """Computes what the layer inside does, and has its name.

    Args:
        layer: The layer.
        **kwargs: As for `keras.layers.Wrapper`.

    Example:
    >>> Marker(keras.layers.Dense(2, name="fc")).name
    'fc'
    """

    def __init__(self, layer, **kwargs):
        kwargs.setdefault("name", layer.name)
        super().__init__(layer, **kwargs)
        self.supports_masking = layer.supports_masking
        if getattr(layer, "_input_shape_arg", None) is not None:
            self._input_shape_arg = layer._input_shape_arg  # as the first layer of a Sequential model

    def call(self, inputs, training=None, **kwargs):
        """Runs the layer; arguments are the layer's own."""
        if self.layer._call_has_training_arg:
            kwargs["training"] = training
        return self.layer(inputs, **kwargs)

    def compute_output_shape(self, input_shape):
        """As the layer's own."""
        return self.layer.compute_output_shape(input_shape)


def takes_several(layer):
    """Returns whether a layer is called with several inputs, which a wrapper has no place for.

    Example:
    >>> takes_several(keras.layers.Dense(2))
    False
    """
    return any(len(node.arguments.args) != 1 for node in layer._inbound_nodes)


def unmarked(model, kind):
    """Returns a copy of a model with the layers inside a kind of `Marker` in their place, and the markers.

    Args:
        model: A built Functional or Sequential model.
        kind: The class.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), Marker(keras.layers.Dense(2, name="fc"))])
    >>> plain, (marker,) = unmarked(model, Marker)
    >>> type(plain.get_layer("fc")).__name__, marker is model.get_layer("fc")
    ('Dense', True)
    """
    pairs = []

    def exchange(copy, original):
        if not isinstance(original, kind):
            return copy
        pairs.append((original, copy.layer))
        return copy.layer

    with inner_classes(model):
        plain = rebuild(model, exchange)
    for marker, layer in pairs:
        layer.set_weights([keras.ops.convert_to_numpy(weight) for weight in marker.layer.weights])
        layer.trainable = marker.layer.trainable
    return plain, [marker for marker, _ in pairs]


@contextlib.contextmanager
def inner_classes(model):
    """While active, what wrappers hold is copied though its classes are not registered.

    That is a layer, a `QuantizeConfig`, a schedule or a quantizer, of a class that the user may have defined
    anywhere. A scope that the user has opened goes on counting.

    Args:
        model: A Keras model.

    Example:
    >>> with inner_classes(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])):
    ...     pass
    """
    held = [getattr(layer, name, None) for layer in model._flatten_layers() for name in _HELD]
    known = keras.saving.get_custom_objects()
    added = {type(each).__name__: type(each) for each in held if each is not None}
    added = {name: kind for name, kind in added.items() if name not in known}
    known.update(added)
    try:
        yield
    finally:
        for name in added:
            del known[name]
