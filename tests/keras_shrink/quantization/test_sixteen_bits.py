import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.quantization.sixteen_bits import SymmetricActivations
from tests.keras_shrink.networks import pictures, residual_network
from tflite_export import tflm


@pytest.fixture(scope="module")
def trained():
    x = pictures(128)
    model = ks.calibrate(residual_network(), x, ks.Int16x8())
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    model.fit(x, np.arange(128) % 5, epochs=2, verbose=0)
    return model


@pytest.fixture(scope="module")
def file(trained):
    return te.convert(trained)


def on_tflm(tflite, x):
    """Integers that TFLM computes for float inputs."""
    (entry,) = tflite.inputs.values()
    q = np.round(x / entry.quantization.scale[0]).clip(-32768, 32767).astype("int16")
    return tflm.run(tflite, q[:, None])[0].reshape(len(x), -1)


def test_the_file_has_16_bits_and_wide_biases(file):
    tensors = file.graph.main.tensors
    assert {tensor.dtype for tensor in tensors if tensor.quantization is not None} == {
        "int16",
        "int8",
        "int64",
    }
    assert {tensor.dtype for tensor in tensors} == {"int16", "int8", "int64", "int32"}


def test_every_scale_is_the_trained_one(trained, file):
    main = file.graph.main
    stored = {float(t.quantization.scale[0]) for t in main.tensors if t.dtype == "int16"}
    ranges = [layer for layer in trained._flatten_layers() if isinstance(layer, SymmetricActivations)]
    expected = {layer.range()[1] / 32767 for layer in ranges} | {1 / 32768}
    assert len(expected) == len(ranges) + 1
    np.testing.assert_allclose(sorted(stored), sorted(expected), rtol=1e-6)
    kernel = trained.get_layer("conv").transformed("kernel").numpy()
    scales = [main.tensors[op.inputs[1]].quantization.scale for op in main.ops if op.code == "CONV_2D"][-1]
    np.testing.assert_allclose(scales, np.abs(kernel).max(axis=(0, 1, 2)) / 127, rtol=1e-6)


def test_tflm_computes_what_the_model_does(trained, file):
    x = pictures(64, seed=3)
    promised = trained.predict(x, verbose=0) * 32768
    assert np.abs(on_tflm(file, x) - promised).max() <= 4


def test_it_is_closer_to_float_than_8_bits():
    x, model = pictures(128), residual_network()
    promised = model.predict(x, verbose=0)
    fine, coarse = (
        ks.calibrate(model, x, config).predict(x, verbose=0) for config in (ks.Int16x8(), ks.Int8())
    )
    assert np.abs(fine - promised).mean() < 0.5 * np.abs(coarse - promised).mean()


def test_biases_that_are_alike_have_scales_of_their_own():
    model = keras.Sequential([keras.Input((6, 6, 2))])
    for gain in (1.0, 30.0):
        start = keras.initializers.RandomNormal(0, gain, seed=1)
        model.add(layers.Conv2D(2, 3, kernel_initializer=start, bias_initializer="ones"))
    x = pictures(64, shape=(6, 6, 2))
    quantized = ks.calibrate(model, x, ks.Int16x8())
    tflite = te.convert(quantized)
    (exit_,) = tflite.outputs.values()
    promised = quantized.predict(x, verbose=0).reshape(64, -1) / exit_.quantization.scale[0]
    assert np.abs(on_tflm(tflite, x) - promised).max() <= 3


def test_a_relu_that_nothing_takes_in_runs():
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), layers.MaxPooling2D(), layers.ReLU(), layers.Conv2D(3, 2)]
    )
    x = pictures(32, shape=(6, 6, 2))
    quantized = ks.calibrate(model, x, ks.Int16x8())
    tflite = te.convert(quantized)
    (exit_,) = tflite.outputs.values()
    promised = quantized.predict(x, verbose=0).reshape(32, -1) / exit_.quantization.scale[0]
    assert np.abs(on_tflm(tflite, x) - promised).max() <= 3


def test_ranges_are_symmetric_whatever_chose_them():
    model = keras.Sequential([keras.Input((4,), name="x"), layers.Dense(2)])
    for method in ("minmax", "percentile", "mse"):
        quantized = ks.calibrate(model, pictures(64, shape=(4,)) + 1, ks.Int16x8(), method=method)
        low, high = quantized.get_layer("x_int16").range()
        assert low == pytest.approx(-high * 32768 / 32767, rel=1e-6)
        assert high > 2


def test_a_model_of_16_bits_survives_saving(trained, tmp_path):
    trained.save(tmp_path / "q.keras")
    loaded, x = keras.models.load_model(tmp_path / "q.keras"), pictures(8)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), trained.predict(x, verbose=0))


def test_layers_without_16_bits_are_named_before_training():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            layers.LeakyReLU(name="leaky"),
            layers.Conv2D(2, 2, activation="silu", name="conv"),
        ]
    )
    with pytest.raises(
        ValueError, match=r"2 layer\(s\) cannot.*\n  leaky: no form.*\n  conv: its activation silu"
    ):
        ks.quantize(model, ks.Int16x8(), strict=True)


def test_no_layer_can_be_left_out():
    with pytest.raises(ValueError, match="Only in an int8 network can layers stay float"):
        ks.quantize(residual_network(), ks.Int16x8(), overrides={ks.select.by_name("conv"): None})


def test_ranges_of_16_bits_are_not_learned(trained):
    with pytest.raises(ValueError, match="Ranges of 16 bits are not trained"):
        ks.learn_ranges(trained)


def test_steps_before_quantization_know_16_bits():
    x, model = pictures(32), residual_network()
    learned = ks.learn_rounding(model, x, ks.Int16x8(), steps=2)
    corrected = ks.correct_bias(learned, x, ks.Int16x8())
    assert te.convert(ks.calibrate(corrected, x, ks.Int16x8())).graph.main.tensors[0].dtype == "int16"


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
def test_momentum_outside_its_range_is_refused(momentum):
    with pytest.raises(ValueError, match="momentum must be in"):
        ks.Int16x8(momentum=momentum)
