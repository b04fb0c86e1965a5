import keras
import numpy as np
import pytest
from keras import layers

import tflite_export as te
from tflite_export.integer_islands import close_islands
from tflite_export.read import read


def network(*behind):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8,), name="x")
    x = layers.Dense(6)(inputs)
    return keras.Model(inputs, [make(x) for make in behind])


def converted(model):
    x = np.random.default_rng(0).normal(0, 1, (64, 8)).astype("float32")
    return te.convert(model, representative_data=x), x


CASES = {
    "in the middle": (lambda x: layers.Dense(2)(layers.ELU()(x)),),
    "at the end": (layers.ELU(),),
    "two beside each other": (lambda x: layers.Add()([layers.ELU()(x), layers.ELU()(layers.ReLU()(x))]),),
    "read elsewhere too": (layers.ELU(), layers.ReLU()),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_between_conversions_computes_on_integers(name):
    tflite, x = converted(network(*CASES[name]))
    codes = [op.code for op in tflite.graph.main.ops]
    assert "ELU" in codes
    assert not {"DEQUANTIZE", "QUANTIZE"} & set(codes)
    assert {tensor.dtype for tensor in tflite.graph.main.tensors} <= {"int8", "int32"}
    result = te.verify(tflite, x)
    assert [difference.differing for difference in result.compiled_c] == [0] * len(result.compiled_c)


def test_a_file_without_islands_is_returned_as_it_is():
    tflite, _ = converted(network(layers.ReLU()))
    assert close_islands(tflite.bytes) == read(tflite.bytes).content


def test_an_operator_in_a_float_model_stays_float():
    tflite = te.convert(network(layers.ELU()), dtype="float32")
    assert [op.code for op in tflite.graph.main.ops][-1] == "ELU"
    assert {tensor.dtype for tensor in tflite.graph.main.tensors} == {"float32"}
