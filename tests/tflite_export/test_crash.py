import keras
import numpy as np
import pytest

from tflite_export.convert import convert
from tflite_export.crash import find_culprit
from tflite_export.errors import ConversionError


def branched_model(bad):
    """Seven layers in two branches; the one at position `bad` is called "bad"."""
    names = [f"layer_{i}" if i != bad else "bad" for i in range(6)]
    x = keras.Input((4,))
    left = keras.layers.Dense(3, name=names[0])(x)
    left = keras.layers.Dense(3, name=names[1])(left)
    right = keras.layers.Dense(3, name=names[2])(x)
    right = keras.layers.Dense(3, name=names[3])(right)
    y = keras.layers.Add(name=names[4])([left, right])
    return keras.Model(x, keras.layers.Dense(2, name=names[5])(y))


@pytest.mark.parametrize("bad", range(6))
def test_bisection_names_the_layer(bad):
    tried = []

    def attempt(part):
        tried.append(part)
        if any(layer.name == "bad" for layer in part.layers):
            raise ConversionError("crashed")

    assert find_culprit(branched_model(bad), attempt) == "bad"
    assert len(tried) <= 4


def test_model_that_converts_has_no_culprit():
    assert find_culprit(branched_model(0), lambda part: part) is None


def test_crash_of_the_converter_names_the_layer():
    model = keras.Sequential(
        [
            keras.Input((10, 4)),
            keras.layers.Dense(4, name="before"),
            keras.layers.GRU(5, name="rolled"),
            keras.layers.Dense(2, name="after"),
        ]
    )
    with pytest.raises(ConversionError, match="The converter fails from layer 'rolled' on"):
        convert(model, np.zeros((4, 10, 4), np.float32))
