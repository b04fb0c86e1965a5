"""The kind of file that a Keras model was made for, as its own layers say it.

A layer with an attribute `tflite_dtype` (one of the names that `convert` takes as `dtype`) asks for a file
of that kind: 4-bit weights for `"int8x4"`, 16-bit activations for `"int16x8"`. A layer that says
`"float32"` in a model that is integer otherwise may stay float in the file.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """What a model was made for.

    Attributes:
        dtype: As the argument of `convert`; `"int8"` where no layer says anything.
        allows_float: Whether some layers stay float.
    """

    dtype: str
    allows_float: bool


def promise_of(model) -> Promise:
    """Returns what the layers of a Keras model ask for.

    Raises:
        ValueError: If they ask for kinds of files that exclude one another.

    Example:
    >>> import keras
    >>> promise_of(keras.Sequential([keras.layers.Dense(2)]))
    Promise(dtype='int8', allows_float=False)
    """
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else []
    said = {layer.tflite_dtype for layer in layers if hasattr(layer, "tflite_dtype")}
    kinds = said - {"float32"} - ({"int8"} if len(said - {"float32"}) > 1 else set())
    if len(kinds) > 1:
        raise ValueError(
            "The layers of the model were made for different kinds of files, of which one can be written. "
            f"Received: {', '.join(sorted(kinds))}. Quantize the model with one config."
        )
    return Promise(next(iter(kinds), "int8"), "float32" in said)
