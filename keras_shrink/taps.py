"""Looking into a model while it runs: values at layers inside, and layers that compute differently."""

from __future__ import annotations

import contextlib

import tensorflow as tf

from tflite_export import samples

OUTPUTS = "outputs of the model"


@contextlib.contextmanager
def replaced(layers, make_call):
    """While active, `layer.call` of each of `layers` is `make_call(layer, its own call)`.

    For the time of one call; a model that others may use meanwhile must not be passed.

    Args:
        layers: Keras layers.
        make_call: Function `(layer, call) -> call`.
    """
    before = [(layer, vars(layer).get("call")) for layer in layers]
    for layer, _ in before:
        layer.call = make_call(layer, layer.call)
    try:
        yield
    finally:
        for layer, own in before:
            if own is None:
                del layer.call
            else:
                layer.call = own


class Taps:
    """Returns what `read` makes of the values at chosen places of a model, batch by batch.

    Args:
        model: A built Keras model of one's own: its layers are altered.

    Example:
    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU(name="relu")])
    >>> taps = Taps(model)
    >>> taps.at_output(model.get_layer("relu"), "largest", tf.reduce_max)
    >>> float(taps([np.array([[-1.0, 3.0]], "float32")])["largest"])
    3.0
    """

    def __init__(self, model):
        self.model = model
        self._seen = {}
        self._run = tf.function(self._trace, reduce_retracing=True)

    def at_output(self, layer, key, read=tf.identity):
        """Reads `read(output)` of a layer as `key`."""
        layer.call = self.reading(key, layer.call, read)

    def reading(self, key, call, read=tf.identity):
        """Returns a function that calls `call` and reads `read(its result)` as `key`."""

        def tapped(*args, **kwargs):
            result = call(*args, **kwargs)
            self._seen[key] = read(result)
            return result

        return tapped

    def at_input(self, layer, key, read=tf.identity):
        """Reads `read(first input)` of a layer as `key`."""
        call = layer.call

        def tapped(x, *args, **kwargs):
            self._seen[key] = read(x)
            return call(x, *args, **kwargs)

        layer.call = tapped

    def before_activation(self, layer, key, read=tf.identity):
        """Reads `read(x)` of what goes into the activation inside a layer as `key`."""
        activation = layer.activation

        def tapped(x):
            self._seen[key] = read(x)
            return activation(x)

        layer.activation = tapped

    def __call__(self, parts):
        """Returns key -> tensor for one batch, given as a list with one array for each input.

        The list of the model's outputs is there too, as `OUTPUTS`.
        """
        return self._run(*[tf.convert_to_tensor(part) for part in parts])

    def _trace(self, *parts):
        self._seen = {}
        outputs = self.model(samples.packed(self.model, parts), training=False)
        return {**self._seen, OUTPUTS: tf.nest.flatten(outputs)}


def channel_mean(x):
    """Returns the mean over all axes but the last, float32."""
    x = tf.cast(x, tf.float32)
    return tf.reduce_mean(x, axis=list(range(x.shape.rank - 1)))
