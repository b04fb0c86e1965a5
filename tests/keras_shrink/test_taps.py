import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_shrink.taps import OUTPUTS, Taps, channel_mean, replaced


def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="relu", name="a"), layers.Dense(2, name="b")]
    )


def test_values_inside_a_model_can_be_read():
    model, x = network(), np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    hidden = np.maximum(x @ model.get_layer("a").kernel.numpy(), 0)
    linear = x @ model.get_layer("a").kernel.numpy()
    promised = model(x).numpy()
    taps = Taps(model)
    taps.at_input(model.get_layer("b"), "in")
    taps.at_output(model.get_layer("a"), "out", channel_mean)
    taps.before_activation(model.get_layer("a"), "before")
    seen = taps([x])
    np.testing.assert_allclose(seen["in"], hidden, atol=1e-6)
    np.testing.assert_allclose(seen["out"], hidden.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(seen["before"], linear, atol=1e-6)
    np.testing.assert_allclose(seen[OUTPUTS][0], promised, atol=1e-6)


def test_replaced_calls_nest_and_are_put_back_also_after_an_error():
    model, x = network(), np.ones((1, 3), "float32")
    before = model(x).numpy()

    def doubled(layer, call):
        return lambda x: 2 * call(x)

    with replaced([model.get_layer("b")], doubled):
        with replaced([model.get_layer("b")], doubled):
            np.testing.assert_allclose(model(x), 4 * before, rtol=1e-6)
        np.testing.assert_allclose(model(x), 2 * before, rtol=1e-6)
        with pytest.raises(ValueError, match="stop"), replaced([model.get_layer("b")], doubled):
            raise ValueError("stop")
        np.testing.assert_allclose(model(x), 2 * before, rtol=1e-6)
    np.testing.assert_array_equal(model(x), before)


def test_channel_means_are_float32_also_of_half_precision():
    x = tf.ones((2, 3, 4), tf.float16)
    assert channel_mean(x).dtype == tf.float32
    np.testing.assert_array_equal(channel_mean(x), np.ones(4))
