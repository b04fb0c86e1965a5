"""Which layer of a model makes TensorFlow's converter crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tflite_export.errors import ConversionError


def find_culprit(model: Any, attempt: Callable[[Any], object]) -> str | None:
    """Returns the name of the first layer with which the converter crashes, None where none is found.

    The layers are taken in the model's order; a bisection finds the shortest beginning that crashes it, in
    about as many conversions as the number of layers has binary digits.

    Args:
        model: A Functional or Sequential Keras model.
        attempt: Converts a model; raises ConversionError where that fails.
    """
    import keras

    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]

    def fails(count):
        outputs = [tensor for layer in layers[:count] for tensor in keras.tree.flatten(layer.output)]
        try:
            attempt(keras.Model(model.inputs, outputs))
        except ConversionError as error:
            return "crashed" in str(error)
        return False

    try:
        if not layers or not fails(len(layers)):
            return None
        low, high = 0, len(layers)  # the first `low` layers convert, the first `high` do not
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if fails(middle) else (middle, high)
    except (AttributeError, ValueError):
        return None  # a layer that is shared, or not part of this graph, has no single output
    return layers[high - 1].name
