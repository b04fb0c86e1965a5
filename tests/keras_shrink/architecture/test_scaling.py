"""Compound scaling."""

import keras
import pytest

import keras_shrink as ks


def stack(input_shape=(10, 16, 3), width=1.0, depth=1.0, extra=0):
    layers = [keras.layers.Dense(round(8 * width)) for _ in range(round(2 * depth))]
    return keras.Sequential([keras.Input(input_shape), *layers, keras.layers.Dense(1 + extra)])


def test_all_three_directions_reach_the_function():
    model = ks.scale(stack, 2.0, 1.5, 0.5, extra=1)
    assert model.input_shape == (None, 5, 8, 3)
    assert [layer.units for layer in model.layers] == [16, 16, 16, 2]


def test_factors_of_one_change_nothing():
    assert ks.scale(stack).count_params() == stack().count_params()


def test_the_shape_given_is_the_one_that_is_scaled():
    assert ks.scale(stack, resolution=2.0, input_shape=(3, 8, 1)).input_shape == (None, 6, 16, 1)


def test_sides_stay_multiples_of_eight():
    assert ks.scale(ks.zoo.mobilenet_v1, resolution=0.7).input_shape == (None, 64, 64, 3)


@pytest.mark.parametrize("name", ["width", "depth", "resolution"])
def test_a_factor_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be a number greater than 0. Received: {name}=0"):
        ks.scale(stack, **{name: 0})


def test_a_function_without_the_argument_cannot_be_scaled_that_way():
    with pytest.raises(ValueError, match="fc_autoencoder has no argument 'input_shape'"):
        ks.scale(ks.zoo.fc_autoencoder, resolution=2.0)
    assert ks.scale(ks.zoo.fc_autoencoder, width=0.5).count_params() < 200_000


def test_without_a_shape_there_is_nothing_to_scale():
    with pytest.raises(ValueError, match="has no default input_shape"):
        ks.scale(lambda **kwargs: None, resolution=2.0)
