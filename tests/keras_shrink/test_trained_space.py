"""Search around a trained model."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from keras_shrink.search.choices import Chosen, Drawn
from keras_shrink.search.limits import Limits
from keras_shrink.search.run import cost_of_candidate, search_architecture

X = np.random.default_rng(0).normal(size=(40, 8, 8, 2)).astype("float32")
Y = np.arange(40) % 3


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(8, 5, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="stem_norm")(x))
    y = layers.Conv2D(8, 3, padding="same", use_bias=False, name="same")(x)
    y = layers.ReLU()(layers.BatchNormalization(name="same_norm")(y))
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="last")(y)
    outputs = layers.Dense(3, activation="softmax", name="head")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(X, Y, epochs=1, verbose=0)
    return model


@pytest.fixture(scope="module")
def space(model):
    return ks.SpaceAround(model, widths=(1.0, 0.5), sparsities=(0.0, 0.5), representative_data=X)


def test_the_model_itself_is_a_point_of_the_space(model, space):
    assert space.first["width_stem"] == 1.0
    assert (space.first["kernel_stem"], space.first["stride_same"], space.first["bits_last"]) == (5, 1, 8)
    assert (space.first["sparsity_head"], space.first["skip_same"]) == (0.0, False)
    itself = space(Chosen(space.first))
    np.testing.assert_array_equal(itself(X), model(X))
    assert itself is not model


@pytest.mark.parametrize(
    ("choice", "value", "expected"),
    [
        ("width_stem", 0.5, lambda small, old: small.get_layer("stem").filters == 4),
        ("kernel_stem", 3, lambda small, old: np.array_equal(
            small.get_layer("stem").kernel, np.array(old.get_layer("stem").kernel)[1:4, 1:4])),
        ("stride_same", 2, lambda small, old: small.get_layer("last").input.shape[1] == 4),
        ("skip_same", True, lambda small, old: small.count_params() == old.count_params() - 576 - 32),
        ("sparsity_last", 0.5, lambda small, old: np.mean(small.get_layer("last").kernel == 0) == 0.5),
    ],
)  # fmt: skip
def test_each_choice_takes_its_part_away(model, space, choice, value, expected):
    small = space(Chosen(space.first | {choice: value}))
    assert expected(small, model)
    assert np.isfinite(small(X)).all()


def test_the_strongest_channels_stay_and_zeros_too():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, name="a"), layers.Dense(2, name="b")])
    kernel = np.ones((4, 8))
    kernel[:, ::2] = 1e-3
    kernel[0] = 0
    model.layers[0].kernel.assign(kernel)
    space = ks.SpaceAround(model, sparsities=(0.0, 0.25))
    small = space(Chosen(space.first | {"width_a": 0.5, "sparsity_a": 0.25}))
    np.testing.assert_array_equal(small.layers[0].kernel, kernel[:, 1::2])
    small.compile("sgd", "mse", jit_compile=False)
    small.fit(X[:, 0, :2].reshape(40, 4), np.ones((40, 2)), epochs=1, verbose=0)
    assert not np.array(small.layers[0].kernel)[0].any()
    assert np.array(small.layers[0].kernel)[1:].all()


def test_every_candidate_is_a_network_with_the_models_outputs(space):
    for seed in range(3):
        assert space(Drawn(np.random.default_rng(seed)))(X).shape == (40, 3)


def test_a_search_begins_with_the_model_and_ends_below_the_limit(model, space, tmp_path):
    def untrained(candidate, train, validation, report):
        report(0, 0.5)
        return float(np.mean(np.argmax(candidate(X), -1) == np.argmax(model(X), -1)))

    settings = {"trials": 1, "trainer": untrained, "strategy": "random"}
    found = search_architecture(space, (X, Y), (X, Y), folder=tmp_path / "a", **settings)
    assert found.best.choices == space.first
    assert found.best.accuracy == 1.0
    whole = found.best.cost.weight_bytes
    limits = Limits(weights=whole - 1)
    found = search_architecture(space, (X, Y), (X, Y), folder=tmp_path / "b", limits=limits, **settings)
    assert found.rejected >= 1
    assert found.best.cost.weight_bytes < whole


def test_bits_of_a_layer(space):
    whole, coarse = (
        cost_of_candidate(space(Chosen(space.first | {"bits_last": bits}))).weight_bytes for bits in (8, 4)
    )
    assert coarse == whole - 8 * 9 * 16 // 2


@pytest.mark.parametrize("choices", [{"widths": (0.5,)}, {"sparsities": (0.5,)}])
def test_a_space_without_the_model_is_refused(model, choices):
    with pytest.raises(ValueError, match="1.0 among the widths, 0.0 among the spars.*Received: widths="):
        ks.SpaceAround(model, **choices)
