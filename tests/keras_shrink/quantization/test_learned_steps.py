import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.quantization.learned_steps import LearnedSteps
from keras_shrink.quantization.weight_rounding import best_steps
from tests.keras_shrink.networks import mobile_network, pictures, residual_network

INT4 = ks.Int8(weight_bits=4)
WITH_WEIGHTS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}


def stored(tflite):
    main = tflite.graph.main
    return [main.tensors[op.inputs[1]] for op in main.ops if op.code in WITH_WEIGHTS]


@pytest.fixture(scope="module")
def trained():
    x = pictures(128)
    model = ks.calibrate(residual_network(), x, INT4)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(x, np.arange(128) % 5, epochs=4, verbose=0)
    return model


@pytest.fixture(scope="module")
def file(trained):
    return te.convert(trained)


def test_training_moves_the_steps(trained):
    growths = [layer.growth.numpy() for layer in trained._flatten_layers() if isinstance(layer, LearnedSteps)]
    assert len(growths) == 5
    assert all(np.abs(growth).max() > 1e-3 for growth in growths)


def test_the_file_stores_the_trained_integers_and_steps(trained, file):
    assert {tensor.dtype for tensor in stored(file)} == {"int4"}
    for name, tensor in zip(("pointwise", "conv"), stored(file)[2:4], strict=True):
        layer = trained.get_layer(name)
        step = layer.transforms[-1].scale(None).numpy()
        levels = np.clip(np.round(layer.layer.kernel.numpy() / step), -7, 7)
        np.testing.assert_array_equal(tensor.data, np.transpose(levels, (3, 0, 1, 2)))
        np.testing.assert_allclose(tensor.quantization.scale, step.reshape(-1), rtol=1e-6)


def test_tflm_computes_what_the_model_does(trained, file):
    result = te.verify(file, pictures(64, seed=3), trained)
    assert result.keras[0].max_steps <= 2
    assert result.keras[0].mean_steps < 0.1
    assert result.compiled_c[0].max_steps == 0


def test_the_model_survives_saving(trained, tmp_path):
    trained.save(tmp_path / "q.keras")
    loaded, x = keras.models.load_model(tmp_path / "q.keras"), pictures(8)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), trained.predict(x, verbose=0))
    np.testing.assert_array_equal(ks.calibrate(loaded, pictures(128)).predict(x, verbose=0).shape, (8, 5))


def test_a_file_with_other_layers_of_8_bits_keeps_both():
    model, x = mobile_network(), pictures(64)
    quantized = ks.calibrate(model, x, INT4, overrides={ks.select.first_and_last(model): ks.Int8()})
    tensors = stored(te.convert(quantized))
    assert [tensor.dtype for tensor in tensors] == ["int8", "int4", "int4", "int8"]


def test_the_first_steps_are_those_of_least_error():
    kernel = np.random.default_rng(0).normal(0, 1, (3, 3, 16, 4))
    step = best_steps(kernel, (0, 1, 2))
    assert step.shape == (1, 1, 1, 4)

    def error(step):
        return np.square(np.clip(np.round(kernel / step), -7, 7) * step - kernel).sum()

    plain = np.abs(kernel).max(axis=(0, 1, 2), keepdims=True) / 7
    assert error(step) < 0.8 * error(plain)
    assert best_steps(kernel, None).shape == (1, 1, 1, 1)


def test_gradients_are_those_of_learned_step_sizes():
    weight = tf.constant([[0.26], [-0.9], [0.11]])
    transform = LearnedSteps((0,), num_bits=4, start=np.array([[0.1]]))
    transform.build(weight.shape)
    with tf.GradientTape() as tape:
        tape.watch(weight)
        rounded = transform(weight, training=True)
        loss = tf.reduce_sum(rounded * [[1.0], [2.0], [3.0]])
    by_weight, by_growth = tape.gradient(loss, [weight, transform.growth.value])
    np.testing.assert_allclose(rounded, [[0.3], [-0.7], [0.1]], rtol=1e-6)
    np.testing.assert_array_equal(by_weight, [[1.0], [0.0], [3.0]])
    by_step = 1 * (3 - 2.6) + 2 * -7 + 3 * (1 - 1.1)
    np.testing.assert_allclose(by_growth, [[by_step / np.sqrt(3 * 7) / 0.1]], rtol=1e-4)


def test_pruned_zeros_stay_zero():
    model = residual_network()
    kernel = model.get_layer("conv").kernel.numpy()
    kernel[np.abs(kernel) < np.median(np.abs(kernel))] = 0
    model.get_layer("conv").kernel.assign(kernel)
    quantized = ks.quantize(model, INT4)
    quantized.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    quantized.fit(pictures(), np.arange(64) % 5, verbose=0)
    assert np.all(quantized.get_layer("conv").transformed("kernel").numpy()[kernel == 0] == 0)


def test_learned_rounding_helps_4_bits():
    model, x = ks.fold_normalization(mobile_network()), pictures(96)

    def error(made):
        return np.square(ks.calibrate(made, x, INT4).predict(x, verbose=0) - promised).mean()

    promised = model.predict(x, verbose=0)
    assert error(ks.learn_rounding(model, x, INT4, steps=150)) < 0.8 * error(model)


def test_what_has_no_kernel_for_4_bits_keeps_8_and_is_named():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            layers.Conv2DTranspose(3, 3, name="up"),
            layers.Flatten(),
            layers.Dense(4, name="fc"),
            layers.BatchNormalization(),
        ]
    )
    with pytest.warns(
        UserWarning, match=r"2 layer\(s\) keep weights of 8 bits:\n  up: TFLM.*\n  fc: its Batch"
    ):
        quantized = ks.quantize(model, INT4)
    assert {
        layer.transforms[-1].num_bits for layer in quantized.layers if getattr(layer, "transforms", 0)
    } == {8}


@pytest.mark.parametrize("bits", [3, 16, "4"])
def test_other_widths_are_refused(bits):
    with pytest.raises(ValueError, match=r"weight_bits must be 8 or 4.*Received: weight_bits="):
        ks.Int8(weight_bits=bits)
