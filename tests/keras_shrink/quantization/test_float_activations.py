import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from tests.keras_shrink.networks import pictures, residual_network
from tflite_export.interpreters import run

CONFIGS = {"weight only": ks.WeightOnly(), "float16": ks.Float16()}
STORED = {"weight only": "int8", "float16": "float16"}


def network():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3), name="picture"),
            layers.Conv2D(40, 3, activation="relu", bias_initializer="normal", name="conv"),
            layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise"),
            layers.Flatten(),
            layers.Dense(6, activation="selu", name="scores"),
        ]
    )


@pytest.fixture(params=CONFIGS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def trained():
    made = {}
    for kind, config in CONFIGS.items():
        model = ks.quantize(network(), config)
        model.compile(keras.optimizers.Adam(1e-3), "mse")
        model.fit(pictures(), np.zeros((64, 6)), epochs=2, verbose=0)
        made[kind] = model, te.convert(model)
    return made


def test_the_file_is_of_the_kind_that_the_model_was_made_for(trained, kind):
    _, tflite = trained[kind]
    stored = {
        tensor.dtype for tensor in tflite.graph.main.tensors if tensor.is_constant and tensor.size > 1000
    }
    assert stored == {STORED[kind]}
    (entry,), (exit_,) = tflite.inputs.values(), tflite.outputs.values()
    assert (entry.dtype, exit_.dtype) == ("float32", "float32")


def test_the_file_stores_the_trained_weights(trained, kind):
    model, tflite = trained[kind]
    kernel = model.get_layer("conv").transformed("kernel").numpy()
    (stored,) = [t for t in tflite.graph.main.tensors if t.is_constant and t.shape == (40, 3, 3, 3)]
    values = stored.data.astype("float64")
    if kind == "weight only":
        scale = np.abs(kernel).max(axis=(0, 1, 2)) / 127
        np.testing.assert_allclose(stored.quantization.scale, scale, rtol=1e-6)
        values = values * stored.quantization.scale[:, None, None, None]
    np.testing.assert_allclose(np.moveaxis(values, 0, -1), kernel, rtol=2e-6, atol=1e-9)


def test_litert_computes_what_the_model_does(trained, kind):
    model, tflite = trained[kind]
    x = pictures(16, seed=2)
    (result,) = run(tflite, [x])
    promised = model.predict(x, verbose=0)
    # Kernels of 8 bits round their inputs on the way.
    assert np.abs(result - promised).max() < (0.05 if kind == "weight only" else 1e-4)


def test_a_model_survives_saving(trained, kind, tmp_path):
    model, x = trained[kind][0], pictures(4)
    model.save(tmp_path / "q.keras")
    loaded = keras.models.load_model(tmp_path / "q.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_weights_are_rounded_while_they_train(trained):
    layer = trained["float16"][0].get_layer("conv")
    for name in ("kernel", "bias"):
        rounded = layer.transformed(name).numpy()
        np.testing.assert_array_equal(rounded, rounded.astype("float16"))
        assert np.any(rounded != layer.variable(name).numpy())
    step = trained["weight only"][0].get_layer("depthwise")
    assert step.transforms[-1].scale(step.layer.kernel).shape == (1, 1, 40, 2)


def test_calibration_needs_no_ranges(kind):
    model, x = residual_network(), pictures()
    quantized = ks.calibrate(model, x, CONFIGS[kind])
    assert 0 < np.abs(quantized.predict(x, verbose=0) - model.predict(x, verbose=0)).max() < 0.02


def test_pruned_zeros_stay_zero(kind):
    model = network()
    kernel = model.get_layer("conv").kernel.numpy()
    kernel[np.abs(kernel) < np.median(np.abs(kernel))] = 0
    model.get_layer("conv").kernel.assign(kernel)
    quantized = ks.quantize(model, CONFIGS[kind])
    quantized.compile("sgd", "mse")
    quantized.fit(pictures(), np.zeros((64, 6)), verbose=0)
    assert np.all(quantized.get_layer("conv").transformed("kernel").numpy()[kernel == 0] == 0)


def test_recurrent_cells_are_rounded_too():
    model = keras.Sequential([keras.Input((3, 4)), layers.GRU(5, unroll=True, name="gru")])
    quantized = ks.quantize(model, ks.WeightOnly())
    assert len(quantized.get_layer("gru").transforms) == 2
    assert quantized.predict(pictures(4, shape=(3, 4)), verbose=0).shape == (4, 5)


def test_weights_too_large_for_float16_are_refused():
    model = network()
    model.get_layer("scores").bias.assign(np.full(6, 1e5))
    with pytest.raises(ValueError, match=r"up to 65504. Received: layer 'scores', whose bias reaches 100000"):
        ks.quantize(model, ks.Float16())


def test_there_are_no_ranges_to_learn(trained, kind):
    with pytest.raises(ValueError, match="Activations are floats here"):
        ks.learn_ranges(trained[kind][0])


def test_rounding_to_float16_is_not_learned():
    with pytest.raises(ValueError, match=r"Nothing is rounded to integers.*config=Float16\(\)"):
        ks.learn_rounding(network(), pictures(16), ks.Float16(), steps=1)


def test_rounding_of_weights_alone_is_learned():
    x, model = pictures(32), network()
    learned = ks.learn_rounding(model, x, ks.WeightOnly(), steps=3)
    levels = learned.get_layer("conv").kernel.numpy()
    levels = levels / np.abs(levels).max(axis=(0, 1, 2)) * 127
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)


def test_no_layer_can_be_left_out(kind):
    with pytest.raises(ValueError, match="Only in an int8 network can layers stay float"):
        ks.quantize(network(), CONFIGS[kind], overrides={ks.select.by_name("conv"): None})


def test_a_class_is_no_config():
    with pytest.raises(ValueError, match=r"Configs are objects: Int8\(\), not Int8"):
        ks.quantize(network(), ks.Float16)
