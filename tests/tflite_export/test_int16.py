import keras
import pytest
import tensorflow as tf
from keras import layers

import tflite_export as te
from tests.keras_shrink.networks import pictures
from tflite_export.errors import ConversionError
from tflite_export.int16 import check_scales


class Rounding(layers.Layer):
    """Fake quantization of nobody's package."""

    def __init__(self, high, num_bits=16):
        super().__init__()
        self.high, self.num_bits = high, num_bits

    def call(self, x):
        low = -self.high * (2 ** (self.num_bits - 1)) / (2 ** (self.num_bits - 1) - 1)
        return tf.quantization.fake_quant_with_min_max_vars(x, low, self.high, num_bits=self.num_bits)


def network(*rounded):
    return keras.Sequential([keras.Input((4,)), *rounded])


def test_ranges_of_16_bits_are_kept():
    tflite = te.convert(network(Rounding(3.0), layers.Dense(2), Rounding(5.0)), dtype="int16x8")
    (entry,), (exit_,) = tflite.inputs.values(), tflite.outputs.values()
    assert entry.quantization.scale[0] == pytest.approx(3 / 32767)
    assert exit_.quantization.scale[0] == pytest.approx(5 / 32767)
    assert [t.dtype for t in tflite.graph.main.tensors if t.dtype == "float32"] == []


def test_an_activation_without_a_range_is_named():
    model = network(Rounding(3.0), layers.Dense(2), layers.Dense(2), Rounding(5.0))
    with pytest.raises(
        ConversionError, match=r"No range is known for the activations of\n  FULLY_CONNECTED "
    ):
        te.convert(model, dtype="int16x8")


def test_ranges_of_16_bits_make_no_int8_file():
    with pytest.raises(ValueError, match=r'those of 16 bits.*pass dtype="int16x8"'):
        te.convert(network(Rounding(3.0), layers.Dense(2), Rounding(5.0)))


def test_ranges_of_8_bits_make_no_int16_file():
    model = network(Rounding(3.0, 8), layers.Dense(2), Rounding(5.0, 8))
    with pytest.raises(ValueError, match="a model with ranges of 8 bits"):
        te.convert(model, dtype="int16x8")


def test_a_model_with_ranges_takes_no_data():
    model = network(Rounding(3.0), layers.Dense(2), Rounding(5.0))
    with pytest.raises(ValueError, match="ranges of 16 bits and representative_data"):
        te.convert(model, pictures(8, shape=(4,)), dtype="int16x8")


def test_a_changed_scale_is_an_error():
    tflite = te.convert(network(Rounding(3.0), layers.Dense(2), Rounding(5.0)), dtype="int16x8")
    name = next(t.name for t in tflite.graph.main.tensors if t.dtype == "int16")
    with pytest.raises(ConversionError, match=r"changed scales of the model:\n.*: 0.5 became"):
        check_scales(tflite.bytes, {name: 0.5})
