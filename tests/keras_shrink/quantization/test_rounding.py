import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from tests.keras_shrink.networks import mobile_network, pictures

PER_TENSOR = ks.Int8(per_channel=False)


def narrow_network():
    """Dense layers whose weights lie on few levels, because one weight is far larger than the rest."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu", name="a"),
            layers.Dense(16, name="b"),
            layers.ReLU(),
            layers.Dense(4, name="c"),
        ]
    )
    for name in "abc":
        kernel = model.get_layer(name).kernel.numpy()
        kernel[0] = 0  # a pruned row
        kernel[1, 0] = 12.0
        model.get_layer(name).kernel.assign(kernel)
    return model


def correlated(count=256):
    generator = np.random.default_rng(0)
    return (generator.normal(0, 1, (count, 3)) @ generator.normal(0, 1, (3, 12))).astype("float32")


def error(model, reference, x, config):
    quantized = ks.calibrate(model, x, config)
    # A call, as the layers that learned were computed: `predict` rounds sums and biases besides.
    return np.mean((np.asarray(quantized(x)) - reference.predict(x, verbose=0)) ** 2)


def test_learned_rounding_beats_nearest_where_levels_are_coarse():
    x, model = correlated(), narrow_network()
    nearest = error(model, model, x, PER_TENSOR)
    learned = error(ks.learn_rounding(model, x, PER_TENSOR, steps=300), model, x, PER_TENSOR)
    assert learned < 0.5 * nearest


def test_weights_lie_on_neighbouring_levels_and_zeros_stay():
    x, model = correlated(64), narrow_network()
    learned = ks.learn_rounding(model, x, PER_TENSOR, steps=30)
    changed = 0
    for name in "abc":
        before, after = (each.get_layer(name).kernel.numpy() for each in (model, learned))
        scale = np.abs(before).max() / 127
        levels = after / scale
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
        assert np.abs(after - before).max() <= scale * 1.001
        assert np.abs(after).max() == pytest.approx(np.abs(before).max())
        assert np.all(after[before == 0] == 0)
        changed += np.count_nonzero(np.round(levels) != np.round(before / scale))
    assert changed


def test_quantizing_keeps_the_learned_levels():
    x, model = correlated(64), narrow_network()
    learned = ks.learn_rounding(model, x, steps=30)
    quantized = ks.quantize(learned)
    for name in "abc":
        rounded = quantized.get_layer(name).transformed("kernel").numpy()
        np.testing.assert_allclose(rounded, learned.get_layer(name).kernel, atol=1e-5)


def test_convolutions_and_normalization_are_rounded_too_and_the_model_is_not_touched():
    x, model = pictures(32), mobile_network()
    before = [weight.copy() for weight in model.get_weights()]
    learned, folded = ks.learn_rounding(model, x, steps=5), ks.fold_normalization(model)
    for name in ("stem", "depthwise", "pointwise"):
        assert np.any(learned.get_layer(name).kernel.numpy() != folded.get_layer(name).kernel.numpy())
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="steps must be at least 1. Received: steps=0"):
        ks.learn_rounding(narrow_network(), correlated(), steps=0)
