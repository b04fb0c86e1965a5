import keras
import numpy as np
import pytest

import keras_shrink as ks
import tflite_export as te
from tests.keras_shrink.networks import pictures, residual_network
from tests.tflite_export.c.models import T, single
from tflite_export import tflm
from tflite_export.affine import dequantize_array, quantize_array


@pytest.fixture(scope="module")
def quantized():
    model = ks.calibrate(residual_network(), pictures())
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def file(quantized):
    return te.convert(quantized)


def on_tflm(file, x):
    graph = file.graph
    (y,) = tflm.run(graph, quantize_array(x, graph.inputs[0])[:, None])
    return y.reshape(len(x), -1)


def test_is_the_device_bit_for_bit(quantized, file):
    x = pictures(20, seed=3)
    want = on_tflm(file, x)
    device = ks.simulate(quantized)
    np.testing.assert_array_equal(device.predict(x, verbose=0), dequantize_array(want, file.graph.outputs[0]))
    assert device.name == quantized.name
    assert [t.name for t in device.inputs] == [t.name for t in quantized.inputs]


def test_gives_the_integers_where_they_are_wanted(file):
    x = pictures(20, seed=4)
    integers = ks.simulate(file, dequantize=False).predict(x, batch_size=7, verbose=0)
    assert integers.dtype == np.int8
    np.testing.assert_array_equal(integers, on_tflm(file, x))


def test_evaluates_with_the_metrics_of_the_model(quantized):
    x, y = pictures(30, seed=5), np.arange(30) % 5
    device = ks.simulate(quantized)
    accuracy = device.evaluate(x, y, verbose=0)[1]
    assert accuracy == pytest.approx(np.mean(device.predict(x, verbose=0).argmax(1) == y))


def test_runs_eagerly_in_functions_and_with_jit(file):
    x = pictures(6, seed=6)
    device = ks.simulate(file)
    want = device.predict(x, verbose=0)
    np.testing.assert_array_equal(np.asarray(device(x)), want)
    device.compile(jit_compile=True)
    np.testing.assert_array_equal(device.predict(x, verbose=0), want)


def test_survives_saving(file, tmp_path):
    x = pictures(6, seed=7)
    device = ks.simulate(file)
    device.save(tmp_path / "device.keras")
    again = keras.models.load_model(tmp_path / "device.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), device.predict(x, verbose=0))


def test_takes_a_float_model_with_data():
    x = pictures(20)
    model = residual_network()
    np.testing.assert_allclose(
        ks.simulate(model, x).predict(x, verbose=0), model.predict(x, verbose=0), atol=0.25
    )


def test_keeps_several_inputs_and_outputs_apart():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    left = keras.layers.Dense(2, name="left")(a)
    both = keras.layers.Concatenate(name="both")([left, keras.layers.Dense(2, name="right")(b)])
    model = keras.Model({"b": b, "a": a}, {"left": left, "both": both})
    rng = np.random.default_rng(0)
    x = {"a": rng.normal(size=(50, 4)).astype("float32"), "b": rng.normal(size=(50, 3)).astype("float32")}
    quantized = ks.calibrate(model, x)
    got, near = ks.simulate(quantized).predict(x, verbose=0), quantized.predict(x, verbose=0)
    assert set(got) == {"left", "both"}
    for name in got:
        np.testing.assert_allclose(got[name], near[name], atol=0.05)


def test_a_batch_in_the_file_is_refused():
    model = single("ABS", [T((2, 4), "int8", 0.1, 0)], [T((2, 4), "int8", 0.1, 0)])
    with pytest.raises(ValueError, match="leading dimension of 1.*batch of 1"):
        ks.simulate(model)


def test_a_file_needs_no_data(file):
    with pytest.raises(ValueError, match="brings its own ranges. Received: representative_data"):
        ks.simulate(file, pictures(4))
