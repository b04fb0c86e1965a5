"""Scores of Keras models and of files."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.scoring import accuracy, as_pair, device_outputs, device_score, keras_score


def classifier(seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])


def data(model, count=200):
    x = np.random.default_rng(0).normal(size=(count, 4)).astype("float32")
    return x, keras.ops.convert_to_numpy(model(x)).argmax(axis=-1)


@pytest.mark.parametrize(
    ("labels", "outputs", "expected"),
    [
        ([1, 0], [[0.1, 0.9], [0.2, 0.8]], 0.5),
        ([[1], [0]], [[0.1, 0.9], [0.2, 0.8]], 0.5),
        ([[0, 1], [0, 1]], [[0.1, 0.9], [0.2, 0.8]], 1.0),
        ([1, 0, 1], [[0.9], [0.2], [0.3]], 2 / 3),
        ([1, 0], [0.9, 0.7], 0.5),
        ([[0, 1]], [[[0.9, 0.1], [0.8, 0.2]]], 0.5),
    ],
)
def test_accuracy_understands_all_common_forms_of_labels(labels, outputs, expected):
    assert accuracy(np.array(labels), np.array(outputs)) == pytest.approx(expected)


def test_labels_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="labels must be class numbers.*Received: labels of shape"):
        accuracy(np.zeros((2, 5)), np.zeros((2, 3)))


def test_the_integer_file_is_scored_as_the_device_computes_it():
    model = classifier()
    x, y = data(model)
    tflite = te.convert(ks.calibrate(model, x))
    (outputs,) = device_outputs(tflite, x)
    assert outputs.shape == (200, 3)
    assert np.abs(outputs - keras.ops.convert_to_numpy(model(x))).max() < 0.05
    assert device_score(tflite, (x, y)) == accuracy(y, outputs) > 0.95
    assert keras_score(model, (x, y)) == 1.0


def test_a_float_file_is_scored_as_well():
    model = classifier()
    assert device_score(te.convert(model, dtype="float32"), data(model)) == 1.0


def test_several_inputs_keep_the_order_of_the_model():
    a, b = keras.Input((3,), name="b_first"), keras.Input((2,), name="a_second")
    joined = layers.Concatenate()([layers.Dense(4)(a), layers.Dense(4)(b)])
    model = keras.Model([a, b], [layers.Dense(2)(joined), layers.Dense(1)(joined)])
    generator = np.random.default_rng(0)
    x = [generator.normal(size=(50, n)).astype("float32") for n in (3, 2)]
    outputs = device_outputs(te.convert(ks.calibrate(model, x)), x)
    for got, want in zip(outputs, model.predict(x, verbose=0), strict=True):
        assert np.abs(got - want).max() < 0.1


def test_a_metric_of_ones_own_gets_labels_and_outputs():
    model = classifier()
    x, y = data(model)
    assert keras_score(model, (x, y), lambda labels, outputs: outputs.shape[1] + len(labels)) == 203


@pytest.mark.parametrize("metric", ["f1", 3])
def test_an_unknown_metric_is_refused(metric):
    with pytest.raises(ValueError, match="metric must be 'accuracy' or a function"):
        keras_score(classifier(), data(classifier()), metric)


@pytest.mark.parametrize("pair", [np.zeros(3), (np.zeros(3),), (np.zeros(3), np.zeros(2)), (np.zeros(0), [])])
def test_data_must_be_inputs_with_labels(pair):
    with pytest.raises(ValueError, match=r"pair \(inputs, labels\)|as many samples"):
        as_pair(pair)
