import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from tests.keras_shrink.networks import pictures
from tests.tflite_export.small_models import dense_model, pack


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    network = keras.Sequential(
        [keras.Input((6,), name="x"), layers.Dense(8, activation="relu"), layers.Dense(3, name="out")]
    )
    return ks.calibrate(network, pictures(128, shape=(6,)))


@pytest.fixture(scope="module")
def tflite(model):
    return te.convert(model)


def test_a_faithful_file_is_within_a_step(model, tflite):
    result = te.verify(tflite, pictures(100, seed=1, shape=(6,)), model)
    (difference,) = result.keras
    assert difference.output == "out"
    assert (result.samples, difference.elements) == (100, 300)
    assert difference.max_steps <= 1
    assert result.within(0.5)


def test_a_wrong_model_is_found(model, tflite):
    keras.utils.set_random_seed(4)
    other = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(3)])
    result = te.verify(tflite, pictures(100, shape=(6,)), other)
    assert result.keras[0].max_steps > 10
    assert not result.within(2.0)
    assert result.keras[0].same_class < 0.9


def test_differences_are_counted_in_steps(tflite):
    class OneStepHigher:
        inputs = (0,)

        def predict(self, x, **_):
            graph = te.read(tflite)
            from tflite_export.affine import dequantize_array, quantize_array
            from tflite_export.tflm import run

            (q,) = run(graph, quantize_array(x, graph.inputs[0])[:, None])
            wanted = q.reshape(-1, 3).astype(int)
            wanted[:, 1] = np.where(wanted[:, 1] < 100, wanted[:, 1] + 4, wanted[:, 1])
            return dequantize_array(wanted, graph.outputs[0])

    x = pictures(10, shape=(6,))
    (difference,) = te.verify(tflite, x, OneStepHigher()).keras
    assert (difference.differing, difference.max_steps) == (10, 4)
    assert difference.mean_steps == pytest.approx(40 / 30)


def test_integer_samples_are_taken_as_they_are(model, tflite):
    q = np.random.default_rng(0).integers(-128, 127, (20, 6), dtype=np.int8)
    assert te.verify(tflite, q, model).keras[0].max_steps <= 1


def test_litert_is_named_and_compared(tflite):
    result = te.verify(tflite, pictures(10, shape=(6,)))
    assert result.interpreter == "ai_edge_litert"
    assert result.litert[0].max_steps <= 1
    assert result.keras is None
    assert result.within(0)


def test_the_standalone_c_is_compiled_and_equal(tflite):
    result = te.verify(tflite, pictures(50, shape=(6,)))
    assert result.compiled_c[0].elements == 150
    assert result.compiled_c[0].differing == 0
    assert result.without_c == ""


def test_c_that_differs_is_a_failure(tflite, monkeypatch):
    from tflite_export.c import native

    right = native.run
    monkeypatch.setattr(
        native, "run", lambda graph, samples, **more: [y ^ 1 for y in right(graph, samples, **more)]
    )
    result = te.verify(tflite, pictures(10, shape=(6,)))
    assert result.compiled_c[0].differing == 30
    assert not result.within(255)


def test_sequences_start_from_the_initial_state():
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((6, 4), name="x"), layers.LSTM(5, name="rnn"), layers.Dense(3)])
    x = pictures(64, shape=(6, 4))
    with pytest.warns(UserWarning, match="state"):
        recurrent = te.convert(model, x)
    result = te.verify(recurrent, x, model)
    assert result.keras[0].mean_steps < 2
    assert result.compiled_c[0].differing == 0


def test_without_a_compiler_it_says_so(tflite, monkeypatch):
    from tflite_export.c import native

    def none():
        raise RuntimeError("There is no C compiler on this machine.")

    monkeypatch.setattr(native, "host_compiler", none)
    result = te.verify(tflite, pictures(10, shape=(6,)))
    assert result.compiled_c is None
    assert result.without_c == "There is no C compiler on this machine."


def test_several_inputs_are_matched_by_name():
    a, b = keras.Input((2,), name="b_first"), keras.Input((2,), name="a_second")
    model = keras.Model([a, b], layers.Dense(2, name="out")(layers.Concatenate()([a, b])))
    x = [pictures(64, shape=(2,)), 9 * pictures(64, seed=1, shape=(2,))]
    tflite = te.convert(model, x)
    assert te.verify(tflite, x, model).keras[0].mean_steps < 2


def test_samples_of_the_wrong_shape_are_refused(tflite):
    with pytest.raises(ValueError, match=r"samples must have shape \(None, 6\) for input 'x'.*\(10, 7\)"):
        te.verify(tflite, pictures(10, shape=(7,)))


def test_a_file_that_tflm_refuses_is_an_error():
    table = dense_model()
    table.operatorCodes[0].builtinCode = table.operatorCodes[0].deprecatedBuiltinCode = (
        11  # LOCAL_RESPONSE_...
    )
    with pytest.raises(te.ModelError):
        te.verify(pack(table), np.zeros((1, 3), np.int8))
