import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_shrink as ks
from keras_shrink.quantization.ranges import ActivationQuantizer
from tests.keras_shrink.networks import mobile_network, pictures


def quantizers(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, ActivationQuantizer)]


def test_a_range_with_an_outlier_learns_to_leave_it_out():
    x = np.random.default_rng(0).normal(0, 1, (256, 32)).astype("float32")
    quantizer = ActivationQuantizer(num_bits=3, learned=True)
    quantizer.set_range(-20.0, 20.0)
    optimizer = keras.optimizers.Adam(0.1)
    errors = []
    for _ in range(150):
        with tf.GradientTape() as tape:
            error = tf.reduce_mean((quantizer(x, training=True) - x) ** 2)
        errors.append(float(error))
        variables = quantizer.trainable_variables
        optimizer.apply(tape.gradient(error, variables), variables)
    low, high = quantizer.range()
    assert -6 < low < -1
    assert 1 < high < 6
    assert errors[-1] < 0.2 * errors[0]


def test_ends_pull_as_the_values_they_clip_and_the_step_as_the_rounding():
    quantizer = ActivationQuantizer(num_bits=2, learned=True)
    quantizer.set_range(0.0, 3.0)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(quantizer(tf.constant([[5.0, 1.25, 4.0]]), training=True))
    low, high = tape.gradient(y, quantizer.trainable_variables)
    scale = 1 / np.sqrt(3 * 3)
    assert float(high) == pytest.approx(scale * (2 - 0.25 / 3))
    assert float(low) == pytest.approx(scale * 0.25 / 3)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_ranges_train_with_the_weights_and_keep_zero(jit_compile):
    x, y = pictures(32), np.arange(32) % 5
    model = ks.learn_ranges(ks.calibrate(mobile_network(), x))
    before = [quantizer.range() for quantizer in quantizers(model)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss, jit_compile=jit_compile)
    losses = model.fit(x, y, epochs=4, verbose=0).history["loss"]
    after = [quantizer.range() for quantizer in quantizers(model)]
    assert losses[-1] < losses[0]
    assert all(new != old for new, old in zip(after, before, strict=True))
    assert all(low <= 0 < high for low, high in after)
    assert all(
        low == 0
        for (low, _), each in zip(after, quantizers(model), strict=True)
        if each.activation != "linear"
    )


def test_phases_freeze_learned_ranges_too():
    x, y = pictures(32), np.arange(32) % 5
    model = ks.learn_ranges(ks.calibrate(mobile_network(), x))
    before = [quantizer.range() for quantizer in quantizers(model)]
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, callbacks=[ks.QuantizationPhases(freeze_ranges_from=0)], verbose=0)
    np.testing.assert_allclose([quantizer.range() for quantizer in quantizers(model)], before, atol=2e-5)


def test_saving_and_loading_keeps_learned_ranges_learned(tmp_path):
    x = pictures(16)
    model = ks.learn_ranges(ks.calibrate(mobile_network(), x))
    model.save(tmp_path / "learned.keras")
    loaded = keras.models.load_model(tmp_path / "learned.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert len(loaded.trainable_variables) == len(model.trainable_variables)


def test_the_given_model_is_not_touched():
    quantized = ks.calibrate(mobile_network(), pictures(16))
    count = len(quantized.trainable_variables)
    assert len(ks.learn_ranges(quantized).trainable_variables) == count + 2 * len(quantizers(quantized))
    assert len(quantized.trainable_variables) == count


def test_float_models_and_unknown_ranges_are_refused():
    with pytest.raises(ValueError, match=r"Only a quantized model has ranges. Received: model='mobile"):
        ks.learn_ranges(mobile_network())
    with pytest.raises(ValueError, match=r"must be known before .*calibrate\(model, data\) first"):
        ks.learn_ranges(ks.quantize(mobile_network()))
