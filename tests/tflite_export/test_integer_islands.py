import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
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


def on_series(*branches, shape=(6, 4)):
    inputs = keras.Input(shape, name="x")
    outputs = []
    for parts in branches:
        x = inputs
        for part in parts:
            x = part(x)
        outputs.append(x)
    return keras.Model(inputs, outputs)


def side_by_side(x):
    y = layers.MaxPooling1D(2, 1, padding="same")(layers.ELU()(x))
    return layers.Concatenate()([layers.Reshape((6, 4))(layers.ELU()(layers.Dense(4)(x))), y, x])


# What stands behind an ELU comes between it and the rounding of its result in the converter.
BEHIND = {
    "dense, flatten, permute": lambda: on_series(
        (layers.ELU(), layers.Dense(3)),
        (layers.Conv1D(4, 3, activation="elu"), layers.Dense(3)),
        (layers.Conv1D(4, 3, activation="elu"), layers.Flatten()),
        (layers.Conv1D(4, 1), layers.ELU(), layers.Permute((2, 1)), layers.Conv1D(3, 1)),
    ),
    "every step, upsampling, normalization": lambda: on_series(
        (layers.ELU(), layers.TimeDistributed(layers.Dense(3))),
        (layers.Conv1D(4, 1), layers.ELU(), layers.UpSampling1D(2), layers.Dense(3)),
        (layers.Conv1D(4, 1), layers.ELU(), layers.BatchNormalization(), layers.Dense(3)),
    ),
    "picture": lambda: on_series((layers.Conv2D(4, 3, activation="elu"), layers.Dense(3)), shape=(5, 5, 2)),
    "concatenation": lambda: on_series((side_by_side, layers.Dense(3))),
    "two readers": lambda: on_series(
        (layers.ELU(), lambda x: layers.Dense(3)(x) + layers.Conv1D(3, 1)(x) + layers.Dense(3)(x))
    ),
}


@pytest.mark.parametrize("name", BEHIND)
def test_an_elu_computes_on_integers_whatever_is_behind_it(name):
    keras.utils.set_random_seed(0)
    model = BEHIND[name]()
    x = np.random.default_rng(0).normal(0, 1, (32, *model.input_shape[1:])).astype("float32")
    quantized = ks.calibrate(model, x)
    tflite = te.convert(quantized)
    codes = [op.code for op in tflite.graph.main.ops]
    assert codes.count("ELU") >= len(model.outputs)
    assert {tensor.dtype for tensor in tflite.graph.main.tensors} <= {"int8", "int32"}
    result = te.verify(tflite, x, quantized)
    assert [difference.differing for difference in result.compiled_c] == [0] * len(model.outputs)
    assert max(difference.max_steps for difference in result.keras) <= 1


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
