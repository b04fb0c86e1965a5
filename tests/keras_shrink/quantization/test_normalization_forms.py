import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from keras_shrink.quantization.normalization_forms import (
    LONGEST_SHORT_ROW,
    NormalizedGroups,
    NormalizedLayer,
    NormalizedRootMeanSquare,
)
from keras_shrink.quantization.ranges import ActivationQuantizer, observing

SHORT = {
    "layer": ((6, 24), layers.LayerNormalization, NormalizedLayer, 24, {}),
    "layer without parameters": (
        (6, 24),
        layers.LayerNormalization,
        NormalizedLayer,
        24,
        {"center": False, "scale": False},
    ),
    "two axes": ((3, 4, 5), layers.LayerNormalization, NormalizedLayer, 20, {"axis": [-2, -1]}),
    "root mean square": ((6, 24), layers.RMSNormalization, NormalizedRootMeanSquare, 24, {}),
    "groups": ((4, 4, 6), layers.GroupNormalization, NormalizedGroups, 32, {"groups": 3}),
    "a group for each channel": ((4, 4, 6), layers.GroupNormalization, NormalizedGroups, 16, {"groups": -1}),
}
LONG = {
    "layer": ((3, 200), layers.LayerNormalization, NormalizedLayer, {}),
    "root mean square": ((3, 200), layers.RMSNormalization, NormalizedRootMeanSquare, {}),
    "groups": ((8, 8, 6), layers.GroupNormalization, NormalizedGroups, {"groups": 2}),
    "one group": ((8, 8, 6), layers.GroupNormalization, NormalizedGroups, {"groups": 1}),
}


def built(kind, shape, settings):
    layer = kind(**settings)
    layer.build((None, *shape))
    generator = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    return layer


def data(shape, count=16):
    return np.random.default_rng(0).normal(0.3, 1, (count, *shape)).astype("float32")


def without_rounding(form, layer, x, length):
    ranges = [ActivationQuantizer() for _ in range(form.inner_ranges(length))]
    wrapper = form(layer, inner=ranges)
    with observing(lambda quantizer, value: None):
        return wrapper(x, training=False).numpy()


@pytest.mark.parametrize("name", LONG)
def test_a_long_row_is_normalized_as_the_layer_does(name):
    shape, kind, form, settings = LONG[name]
    layer, x = built(kind, shape, settings), data(shape)
    np.testing.assert_allclose(without_rounding(form, layer, x, LONGEST_SHORT_ROW + 1), layer(x), atol=2e-5)


@pytest.mark.parametrize("name", SHORT)
def test_a_short_row_is_off_by_half_a_step_of_its_direction(name):
    shape, kind, form, length, settings = SHORT[name]
    layer, x = built(kind, shape, settings), data(shape)
    largest = max([1.0, *(np.abs(weight).max() for weight in layer.weights)])
    off = np.abs(without_rounding(form, layer, x, length) - layer(x)).max()
    assert 0 < off <= 0.5 / 128 * length**0.5 * largest + 1e-5


@pytest.mark.parametrize("length", [24, 200])
def test_epsilon_counts_where_the_variance_is_small(length):
    layer = built(layers.LayerNormalization, (4, length), {"epsilon": 1e-2, "center": False, "scale": False})
    x = 0.1 * data((4, length))
    promised = layer(x).numpy()
    assert promised.std() == pytest.approx(0.5**0.5, rel=0.1)
    np.testing.assert_allclose(without_rounding(NormalizedLayer, layer, x, length), promised, atol=0.025)


@pytest.mark.parametrize("length", [24, 200])
def test_a_row_of_equal_values_becomes_the_shift(length):
    model = keras.Sequential([keras.Input((4, length)), layers.LayerNormalization(name="norm")])
    model.get_layer("norm").beta.assign(np.linspace(-1, 1, length))
    x = data((4, length))
    x[3] = 0.5
    quantized = ks.calibrate(model, x, strict=True)
    np.testing.assert_allclose(
        quantized.predict(x, verbose=0)[3], np.tile(np.linspace(-1, 1, length), (4, 1)), atol=0.08
    )


@pytest.mark.parametrize("spread", [1.0, 3.0])
@pytest.mark.parametrize("length", [16, 128, 200])
def test_noise_of_normalized_rows(length, spread):
    model = keras.Sequential([keras.Input((8, length)), layers.LayerNormalization()])
    x = data((8, length), 32) * np.geomspace(1, spread, 8, dtype="float32")[:, None]
    wanted = model.predict(x, verbose=0)
    got = ks.calibrate(model, x, strict=True).predict(x, verbose=0)
    ratio = 10 * np.log10(np.mean(wanted**2) / np.mean((wanted - got) ** 2))
    assert ratio > 27


@pytest.mark.parametrize("length", [24, 200])
def test_training_reaches_scale_shift_and_input(length):
    model = keras.Sequential([keras.Input((4, length)), layers.Dense(length), layers.LayerNormalization()])
    quantized = ks.quantize(model, strict=True)
    quantized.compile("sgd", "mse")
    before = [weight.numpy() for weight in quantized.trainable_weights]
    quantized.fit(data((4, length)), np.ones((16, 4, length)), verbose=0)
    assert len(before) == 4
    for old, weight in zip(before, quantized.trainable_weights, strict=True):
        assert np.isfinite(weight.numpy()).all()
        assert (old != weight.numpy()).any()
