import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from tests.keras_shrink.networks import mobile_network, pictures


def test_statistics_are_those_of_all_the_data():
    x = 5 + 2 * pictures(100)
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.BatchNormalization(name="norm")])
    norm = ks.reestimate_normalization(model, x, batch_size=32).get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean, x.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, x.var(axis=(0, 1, 2)), rtol=1e-4)


def test_layers_further_down_see_what_the_new_statistics_make():
    x = pictures(64)
    model = mobile_network()
    new = ks.reestimate_normalization(model, x, batch_size=64)
    for name in ("stem_norm", "depthwise_norm"):
        norm = new.get_layer(name)
        inputs = keras.Model(new.inputs[0], norm.input)(x).numpy()
        np.testing.assert_allclose(norm.moving_mean, inputs.mean(axis=(0, 1, 2)), atol=1e-4)
        np.testing.assert_allclose(norm.moving_variance, inputs.var(axis=(0, 1, 2)), rtol=1e-3)


def test_a_quantized_model_with_stale_statistics_is_put_right():
    x = pictures(128)
    trained = ks.reestimate_normalization(mobile_network(), x, batch_size=128)
    promised = trained.predict(x, verbose=0)
    quantized = ks.calibrate(trained, x)
    stale = ks.calibrate(trained, x)
    for layer in stale._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean + 0.5)
            layer.moving_variance.assign(layer.moving_variance * 2)
    restored = ks.reestimate_normalization(stale, x, batch_size=128)

    def error(model):
        return np.abs(model.predict(x, verbose=0) - promised).mean()

    assert error(stale) > 5 * error(quantized)
    assert error(restored) < 1.5 * error(quantized)


def test_the_given_model_is_not_touched_and_the_new_one_computes_as_usual():
    model = mobile_network()
    before = [weight.copy() for weight in model.get_weights()]
    new = ks.reestimate_normalization(model, 3 * pictures(16))
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    one, many = new.predict(pictures(16)[:1], verbose=0), new.predict(pictures(16), verbose=0)
    np.testing.assert_allclose(one[0], many[0], atol=1e-5)


def test_a_model_without_normalization_is_refused():
    with pytest.raises(ValueError, match=r"no BatchNormalization to re-estimate. Received: model='mobile"):
        ks.reestimate_normalization(ks.fold_normalization(mobile_network()), pictures(8))
