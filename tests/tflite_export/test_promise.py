import keras
import pytest
from keras import layers

import tflite_export as te
from tests.keras_shrink.networks import pictures
from tflite_export.promise import Promise, promise_of


class Saying(layers.Layer):
    """A layer of nobody's package that says what it was made for."""

    def __init__(self, dtype):
        super().__init__()
        self.tflite_dtype = dtype

    def call(self, x):
        return x


def model(*said):
    inner = keras.Sequential([keras.Input((4,)), *map(Saying, said), layers.Dense(2)])
    return keras.Sequential([keras.Input((4,)), inner])


def test_layers_that_say_nothing_mean_int8():
    assert promise_of(model()) == Promise("int8", allows_float=False)


def test_narrow_weights_win_over_wide_ones():
    assert promise_of(model("int8", "int8x4")).dtype == "int8x4"


def test_floats_are_allowed_where_asked_for():
    assert promise_of(model("int8", "float32")) == Promise("int8", allows_float=True)


def test_kinds_that_exclude_one_another_are_refused():
    with pytest.raises(ValueError, match="different kinds of files.*float16, int16x8"):
        promise_of(model("int16x8", "float16"))


def test_convert_writes_what_the_model_says():
    tflite = te.convert(model("float16"))
    assert "float16" in {tensor.dtype for tensor in tflite.graph.main.tensors}


def test_an_argument_wins_over_the_model():
    tflite = te.convert(model("float16"), pictures(16, shape=(4,)), dtype="int8")
    assert "float16" not in {tensor.dtype for tensor in tflite.graph.main.tensors}
