import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from keras_shrink.quantization.bias_correction import linear_parts
from tests.keras_shrink.networks import mobile_network, pictures

PER_TENSOR = ks.Int8(per_channel=False)


def shift(model, reference, x):
    """Returns how far the mean outputs of the int8 form of `model` lie from those of `reference`."""
    quantized = ks.calibrate(model, x, PER_TENSOR)
    promised, computed = reference.predict(x, verbose=0), quantized.predict(x, verbose=0)
    return np.abs((computed - promised).mean(axis=0)).max()


def test_correcting_removes_the_shift_that_coarse_weights_cause():
    x = pictures(128)
    model = mobile_network(spread=1.5)
    plain = shift(ks.fold_normalization(model), model, x)
    corrected = shift(ks.correct_bias(model, x, PER_TENSOR), model, x)
    assert corrected < 0.25 * plain


def test_only_biases_change_and_the_given_model_is_not_touched():
    x = pictures(64)
    model = mobile_network(spread=1.5)
    before = [weight.copy() for weight in model.get_weights()]
    corrected, folded = ks.correct_bias(model, x), ks.fold_normalization(model)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    for name in ("stem", "depthwise", "pointwise", "scores"):
        now, then = corrected.get_layer(name), folded.get_layer(name)
        np.testing.assert_array_equal(now.kernel, then.kernel)
        assert np.any(now.bias.numpy() != then.bias.numpy())


def test_a_layer_without_bias_gets_one():
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(4, use_bias=False, activation="relu", name="a"), layers.Dense(2)]
    )
    corrected = ks.correct_bias(model, pictures(64, shape=(6,)))
    assert corrected.get_layer("a").use_bias


def test_linear_parts_are_those_called_once():
    shared = layers.Dense(4, name="shared")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="once")(shared(shared(inputs))))
    assert list(linear_parts(model)) == ["once"]
    quantized = ks.quantize(model)
    assert linear_parts(quantized) == {"once": quantized.get_layer("once").layer}


def test_a_subclassed_model_is_refused():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="subclassed model"):
        ks.correct_bias(Mine(), pictures())
