import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from tests.keras_shrink.networks import mobile_network, pictures, residual_network

PER_TENSOR = ks.Int8(per_channel=False)


def int8_error(model, reference, x):
    """Returns the error that per-tensor int8 adds, relative to the spread of the float outputs."""
    quantized = ks.calibrate(model, x, PER_TENSOR)
    promised = reference.predict(x, verbose=0)
    return np.std(quantized.predict(x, verbose=0) - promised) / np.std(promised - promised.mean(axis=0))


def test_equalizing_changes_no_output():
    model = mobile_network(spread=2.0)
    np.testing.assert_allclose(ks.equalize(model)(pictures(16)), model(pictures(16)), atol=1e-4)


def test_equalizing_saves_a_network_with_wide_channel_ranges_from_per_tensor_int8():
    x = pictures(128)
    model = mobile_network(spread=3.0)
    plain = int8_error(ks.fold_normalization(model), model, x)
    equalized = int8_error(ks.equalize(model), model, x)
    assert plain > 5
    assert equalized < 0.5


def test_channels_have_alike_ranges_afterwards():
    equalized = ks.equalize(mobile_network(spread=3.0))
    first, second = (equalized.get_layer(name).kernel.numpy() for name in ("stem", "depthwise"))
    ranges = np.abs(first).max(axis=(0, 1, 2)), np.abs(second).max(axis=(0, 1, 3))
    np.testing.assert_allclose(*ranges, rtol=0.02)


@pytest.mark.parametrize(
    ("first", "between", "second"),
    [
        (layers.Conv1D(6, 3, activation="relu"), [layers.MaxPooling1D()], layers.Conv1DTranspose(4, 3)),
        (layers.Conv1DTranspose(6, 3), [layers.LeakyReLU(0.1)], layers.SeparableConv1D(4, 3)),
        (layers.SeparableConv1D(6, 3), [layers.ZeroPadding1D()], layers.DepthwiseConv1D(3)),
        (layers.DepthwiseConv1D(3, depth_multiplier=2), [layers.ReLU()], layers.Conv1D(4, 3)),
        (layers.Conv1D(6, 3, groups=3), [layers.GlobalAveragePooling1D()], layers.Dense(4)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_pair_of_linear_layers_can_be_equalized(first, between, second):
    keras.utils.set_random_seed(0)
    chain = [layer.__class__.from_config(layer.get_config()) for layer in (first, *between, second)]
    model = keras.Sequential([keras.Input((12, 3)), *chain])
    x = pictures(8, shape=(12, 3))
    equalized = ks.equalize(model)
    changed = zip(equalized.get_weights(), model.get_weights(), strict=True)
    assert not all(np.array_equal(new, old) for new, old in changed)
    np.testing.assert_allclose(equalized(x), model(x), atol=1e-5)


def test_a_relu6_keeps_its_pair_out_with_a_warning():
    model = mobile_network(spread=2.0, relu6=True)
    with pytest.warns(UserWarning, match=r"3 pair\(s\).*stem, depthwise, pointwise. Pass replace_relu6"):
        equalized = ks.equalize(model)
    np.testing.assert_allclose(equalized(pictures(8)), model(pictures(8)), atol=1e-4)
    assert equalized.get_layer("stem_relu").max_value == 6


def test_a_relu6_can_become_a_relu():
    model = mobile_network(spread=2.0, relu6=True)
    equalized = ks.equalize(model, replace_relu6=True)
    assert equalized.get_layer("stem_relu").max_value is None
    unclipped = mobile_network(spread=2.0)
    np.testing.assert_allclose(equalized(pictures(8)), unclipped(pictures(8)), atol=1e-4)


def test_tensors_read_twice_and_zero_channels_are_left_alone():
    model = residual_network(activation=None)
    kernel = model.get_layer("pool").output.shape
    assert kernel[-1] == 8
    stem = model.get_layer("stem").kernel.numpy()
    stem[..., 2] = 0
    model.get_layer("stem").kernel.assign(stem)
    equalized = ks.equalize(model, replace_relu6=True)
    assert np.all(np.isfinite(np.concatenate([weight.ravel() for weight in equalized.get_weights()])))
    folded = ks.fold_normalization(model)
    np.testing.assert_allclose(equalized.get_layer("stem").kernel, folded.get_layer("stem").kernel)


def test_the_given_model_is_not_touched():
    model = mobile_network(spread=2.0)
    before = [weight.copy() for weight in model.get_weights()]
    ks.equalize(model)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_no_rounds_are_refused():
    with pytest.raises(ValueError, match="max_rounds must be at least 1. Received: max_rounds=0"):
        ks.equalize(mobile_network(), max_rounds=0)
