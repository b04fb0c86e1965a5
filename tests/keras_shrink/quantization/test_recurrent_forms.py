"""Recurrent layers and layers around layers, through to TFLM and the compiled C."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.quantization.quantize import activation_quantizers

pytestmark = pytest.mark.slow
STATE = "keeps its state"


def sequences(shape=(4, 3), count=32):
    return np.random.default_rng(0).normal(0, 1, (count, *shape)).astype("float32")


def network(*parts, shape=(4, 3)):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input(shape), *parts])


def expects_state(is_expected):
    return pytest.warns(UserWarning, match=STATE) if is_expected else contextlib.nullcontext()


BIDIRECTIONAL, TIME = layers.Bidirectional, layers.TimeDistributed
NETWORKS = {
    "simple": lambda: [
        layers.SimpleRNN(5, activation="relu", return_sequences=True),
        layers.SimpleRNN(4, go_backwards=True, use_bias=False),
    ],
    "gru": lambda: [layers.GRU(5), layers.Dense(3)],
    "gru, reset before": lambda: [layers.GRU(5, reset_after=False, return_sequences=True)],
    "lstm": lambda: [layers.LSTM(5), layers.Dense(3)],
    "lstm, stacked": lambda: [
        layers.LSTM(5, return_sequences=True),
        layers.LSTM(4, return_sequences=True, go_backwards=True, use_bias=False),
    ],
    "lstm, unrolled": lambda: [layers.LSTM(5, unroll=True, return_sequences=True)],
    "both directions": lambda: [
        BIDIRECTIONAL(layers.LSTM(4, return_sequences=True)),
        BIDIRECTIONAL(layers.LSTM(3), merge_mode="sum"),
    ],
    "in time": lambda: [TIME(layers.Dense(4, activation="relu")), TIME(layers.Dense(3)), layers.LSTM(3)],
    "pictures in time": lambda: [
        layers.Reshape((4, 4, 4, 2)),
        TIME(
            keras.Sequential(
                [
                    keras.Input((4, 4, 2)),
                    layers.Conv2D(3, 3, name="inside"),
                    layers.BatchNormalization(),
                    layers.ReLU(),
                    layers.Flatten(),
                ]
            )
        ),
        layers.LSTM(4),
    ],
    "sequences in time": lambda: [
        layers.Reshape((4, 2, 16)),
        TIME(layers.LSTM(4)),
        layers.LSTM(3, return_sequences=True),
        layers.ReLU(),
    ],
}
SHAPES = {"pictures in time": (4, 32), "sequences in time": (4, 32)}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_device_computes_what_training_shows(name):
    shape = SHAPES.get(name, (4, 3))
    model, x = network(*NETWORKS[name](), shape=shape), sequences(shape)
    quantized = ks.calibrate(model, x, strict=True)
    has_operator = any(type(layer).__name__ == "LSTMAsOperator" for layer in quantized._flatten_layers())
    with expects_state(has_operator):
        tflite = te.convert(quantized)
    assert {tensor.dtype for tensor in tflite.graph.main.tensors} <= {"int8", "int16", "int32"}
    result = te.verify(tflite, x, quantized)
    assert result.keras[0].max_steps <= 1
    assert result.keras[0].mean_steps < 0.01
    assert [difference.differing for difference in result.compiled_c] == [0]
    promised, computed = model.predict(x, verbose=0), quantized.predict(x, verbose=0)
    assert np.mean((promised - computed) ** 2) < 2e-3 * np.mean(promised**2)
    in_training = np.asarray(quantized(x))
    assert np.mean(np.abs(in_training - computed)) < 0.25 * tflite.graph.outputs[0].quantization.scale[0]


@pytest.mark.parametrize("merge", ["concat", "sum", "ave", "mul"])
def test_directions_merge_as_in_keras(merge):
    parts = [BIDIRECTIONAL(layers.SimpleRNN(3, return_sequences=True), merge_mode=merge, name="both")]
    model, x = network(*parts, shape=(3, 3)), sequences((3, 3))
    quantized = ks.calibrate(model, x, strict=True)
    assert quantized.get_layer("both").output.shape == model.get_layer("both").output.shape
    promised = model.predict(x, verbose=0)
    np.testing.assert_allclose(quantized.predict(x, verbose=0), promised, atol=0.1)


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU])
def test_training_learns_and_stops_dropping_in_inference(kind, tmp_path):
    model = network(kind(4, dropout=0.2, recurrent_dropout=0.2), layers.Dense(1), shape=(3, 3))
    x = sequences((3, 3), 64)
    y = x.sum(axis=(1, 2))[:, None] / 4
    model.compile(keras.optimizers.Adam(0.02), "mse")
    quantized = ks.quantize(model)
    first = quantized.fit(x, y, epochs=1, verbose=0).history["loss"][0]
    quantized.fit(x, y, epochs=15, verbose=0)
    assert quantized.evaluate(x, y, verbose=0) < 0.6 * first
    np.testing.assert_array_equal(quantized.predict(x, verbose=0), quantized.predict(x, verbose=0))
    quantized.save(tmp_path / "q.keras")
    loaded = keras.models.load_model(tmp_path / "q.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), quantized.predict(x, verbose=0))


def test_training_compiles_with_xla():
    model, x = network(layers.SimpleRNN(3), shape=(3, 3)), sequences((3, 3))
    quantized = ks.quantize(model)
    quantized.compile("sgd", "mse", jit_compile=True)
    quantized.fit(x, x[:, 0], verbose=0)
    np.testing.assert_allclose(quantized.predict(x, verbose=0), model.predict(x, verbose=0), atol=0.2)


def test_ranges_hold_what_every_step_makes():
    model, x = network(layers.SimpleRNN(4, activation="linear", name="rnn")), sequences()
    quantized = ks.calibrate(model, x)
    hidden = network(layers.SimpleRNN(4, activation="linear", return_sequences=True))
    hidden.set_weights(model.get_weights())
    values = hidden.predict(x, verbose=0)
    (state,) = [q for path, q in activation_quantizers(quantized).items() if path.endswith("inner_range_2")]
    np.testing.assert_allclose(state.range(), (values.min(), values.max()), rtol=0.01)  # of rounded weights


def test_phases_delay_rounding_and_freeze_ranges():
    model, x = network(layers.GRU(4), shape=(2, 3)), sequences((2, 3))
    quantized = ks.quantize(model)
    quantized.compile(keras.optimizers.SGD(0.0), "mse")
    y = model.predict(x, verbose=0)
    phases = ks.QuantizationPhases(quantize_from=1, freeze_ranges_from=2)
    history = quantized.fit(x, y, epochs=2, batch_size=32, verbose=0, callbacks=[phases]).history["loss"]
    assert history[0] < 1e-10 < history[1]
    before = [quantizer.range() for quantizer in activation_quantizers(quantized).values()]
    frozen = ks.QuantizationPhases(freeze_ranges_from=0)
    quantized.fit(2 * x, y, verbose=0, callbacks=[frozen])
    assert [quantizer.range() for quantizer in activation_quantizers(quantized).values()] == before


def test_pruned_zeros_stay():
    model, x = network(layers.LSTM(4), layers.Dense(1)), sequences()
    kernel = model.layers[0].cell.kernel
    kept = np.arange(48).reshape(3, 16) % 3 > 0
    kernel.assign(kernel * kept)
    quantized = ks.quantize(model)
    quantized.compile("adam", "mse")
    quantized.fit(x, x[:, 0, :1], epochs=2, verbose=0)
    (form,) = [layer for layer in quantized._flatten_layers() if type(layer).__name__ == "LSTMAsOperator"]
    assert (form.transformed("lstm_cell/kernel").numpy()[~kept] == 0).all()


def test_an_override_holds_for_what_takes_a_layers_place():
    model, x = network(TIME(layers.Dense(3), name="td"), layers.Dense(2, name="head")), sequences()
    quantized = ks.calibrate(model, x, overrides={ks.select.by_name("td"): None})
    assert not any("/dense" in path for path in activation_quantizers(quantized))
    np.testing.assert_array_equal(quantized.get_layer("td").get_weights()[0], model.get_weights()[0])


def masked(layer):
    inputs = keras.Input((6,), dtype="int32")
    return keras.Model(inputs, layer(layers.Embedding(9, 4, mask_zero=True)(inputs)))


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: masked(layers.LSTM(4, name="l")), "a mask or an initial state reaches it"),
        (lambda: masked(BIDIRECTIONAL(layers.GRU(4), name="l")), "a mask or an initial state reaches it"),
        (
            lambda: keras.Sequential(
                [keras.Input(batch_shape=(1, 6, 3)), layers.LSTM(4, stateful=True, name="l")]
            ),
            "it is stateful",
        ),
        (lambda: network(layers.LSTM(4, activation="relu", name="l")), "its activation relu has no integer"),
        (
            lambda: network(layers.GRU(4, recurrent_activation="hard_sigmoid", name="l")),
            "its recurrent_activation hard_sigmoid",
        ),
        (
            lambda: network(TIME(layers.Dense(3), name="l"), shape=(None, 3)),
            "the number of its steps is not known",
        ),
        (lambda: network(layers.RNN(layers.GRUCell(3), name="l")), "no integer form of RNN is known"),
    ],
)
def test_what_has_no_integer_form_is_refused_with_its_reason(build, reason):
    with pytest.raises(ValueError, match=f"l: {reason}"):
        ks.quantize(build(), strict=True)


def test_a_layer_that_returns_its_state_is_refused():
    inputs = keras.Input((6, 3))
    outputs, *_ = layers.LSTM(4, return_state=True, name="l")(inputs)
    with pytest.raises(ValueError, match="l: it returns its state"):
        ks.quantize(keras.Model(inputs, outputs), strict=True)


def test_the_simulation_equals_tflm_where_training_is_a_step_away():
    parts = [BIDIRECTIONAL(layers.GRU(4)), layers.Reshape((4, 2)), layers.LSTM(3, return_sequences=True)]
    model, x = network(*parts, shape=(2, 3)), sequences((2, 3))
    quantized = ks.calibrate(model, x)
    with expects_state(True):
        tflite = te.convert(quantized)
    result = te.verify(tflite, x, ks.simulate(tflite))
    assert result.keras[0].differing == 0
