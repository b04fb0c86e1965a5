"""The Keras model of a sketch."""

from __future__ import annotations

import keras
from keras import layers


def build(sketch, name="candidate"):
    """Returns an untrained Keras model for a `Sketch`; its int8 file has the sketch's operators.

    Example:
    >>> from keras_shrink.search.sketch import Sketch
    >>> sketch = Sketch((4,))
    >>> _ = sketch.dense(sketch.input, 3, activation="softmax")
    >>> build(sketch).count_params()
    15
    """
    values = [keras.Input(sketch.shapes[0], name="input")]
    for position, step in enumerate(sketch.steps, 1):
        inputs = [values[i] for i in step.inputs]
        values.append(_LAYERS[step.kind](step, inputs, f"{step.kind}_{position}"))
    return keras.Model(values[0], values[-1], name=name)


def _conv(step, inputs, name):
    given, normalize = step.settings, step.settings["normalize"]
    x = layers.Conv2D(
        given["filters"], _kernel(step, inputs), strides=_stride(step, inputs), padding="same",
        use_bias=not normalize, kernel_initializer="he_normal", name=name,
    )(inputs[0])  # fmt: skip
    return _activated(x, given["activation"], normalize, name)


def _depthwise(step, inputs, name):
    given, normalize = step.settings, step.settings["normalize"]
    x = layers.DepthwiseConv2D(
        _kernel(step, inputs), strides=_stride(step, inputs), padding="same",
        use_bias=not normalize, depthwise_initializer="he_normal", name=name,
    )(inputs[0])  # fmt: skip
    return _activated(x, given["activation"], normalize, name)


def _dense(step, inputs, name):
    given = step.settings
    return layers.Dense(given["units"], activation=given["activation"], name=name)(inputs[0])


def _add(step, inputs, name):
    return _activated(layers.Add(name=name)(inputs), step.settings["activation"], False, name)


def _activated(x, activation, normalize, name):
    if normalize:
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
    if activation is not None:
        x = layers.ReLU(6.0 if activation == "relu6" else None, name=f"{name}_{activation}")(x)
    return x


def _kernel(step, inputs):
    size = step.settings["size"]
    return (1 if inputs[0].shape[1] == 1 else size, size)


def _stride(step, inputs):
    # Keras wants one stride in both directions of a depthwise convolution; along one row it is the same.
    return step.settings["stride"]


def _max_pool(step, inputs, name):
    return layers.MaxPooling2D(step.settings["size"], name=name)(inputs[0])


def _average(step, inputs, name):
    kind = layers.GlobalAveragePooling2D if len(inputs[0].shape) == 4 else layers.GlobalAveragePooling1D
    return kind(name=name)(inputs[0])


def _reshape(step, inputs, name):
    return layers.Reshape(step.shape, name=name)(inputs[0])


def _lstm(step, inputs, name):
    return layers.LSTM(step.settings["units"], name=name)(inputs[0])


_LAYERS = {
    "conv": _conv,
    "depthwise": _depthwise,
    "dense": _dense,
    "add": _add,
    "max_pool": _max_pool,
    "average": _average,
    "reshape": _reshape,
    "lstm": _lstm,
}
