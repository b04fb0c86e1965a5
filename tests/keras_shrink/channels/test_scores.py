import keras
import numpy as np
import pytest
from keras import layers

from keras_shrink import channels


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Dense(3, name="out"),
        ]
    )
    model.get_layer("norm").gamma.assign([1, 1, 0.1, 1, 1, 0.1, 1, 1])
    return model


def left(model, score):
    """Which of the hidden units are left when a quarter goes."""
    smaller = channels.prune_channels(model, 0.25, score=score, multiple=1)
    whole, some = model.get_layer("hidden").kernel.numpy(), smaller.get_layer("hidden").kernel.numpy()
    return [unit for unit in range(8) if (np.abs(whole[:, unit, None] - some).max(axis=0) == 0).any()]


def test_l1_cuts_the_filters_with_the_smallest_weights(network):
    kernel = network.get_layer("hidden").kernel.numpy()
    kernel[:, [1, 4]] *= 1e-2
    network.get_layer("hidden").kernel.assign(kernel)
    assert left(network, channels.l1) == [0, 2, 3, 5, 6, 7]


def test_gamma_cuts_what_normalization_scales_down(network):
    assert left(network, channels.gamma) == [0, 1, 3, 4, 6, 7]


def test_gamma_leaves_alone_what_has_no_normalization():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8), layers.Dense(3)])
    with pytest.raises(ValueError, match="the score says nothing of it"):
        channels.prune_channels(model, 0.25, score=channels.gamma)


def test_l2_counts_those_who_read(network):
    kernel = network.get_layer("out").kernel.numpy()
    kernel[[0, 7]] = 0.0
    network.get_layer("out").kernel.assign(kernel)
    network.get_layer("norm").gamma.assign(np.ones(8))
    assert left(network, channels.l2) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("compiled", [True, False])
def test_taylor_cuts_what_the_loss_does_not_notice(network, compiled):
    generator = np.random.default_rng(0)
    x, y = (
        generator.normal(0, 1, (64, 6)).astype("float32"),
        generator.normal(0, 1, (64, 3)).astype("float32"),
    )
    kernel = network.get_layer("out").kernel.numpy()
    kernel[[2, 3]] *= 1e-4
    network.get_layer("out").kernel.assign(kernel)
    if compiled:
        network.compile(loss="mse")
    score = channels.Taylor(x, y, loss=None if compiled else "mse", batch_size=16)
    assert left(network, score) == [0, 1, 4, 5, 6, 7]


def test_taylor_predicts_what_the_loss_loses():
    """For a linear network and a small channel the first order is nearly all there is."""
    generator = np.random.default_rng(0)
    x, y = (
        generator.normal(0, 1, (32, 6)).astype("float32"),
        generator.normal(0, 1, (32, 3)).astype("float32"),
    )
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.Dense(3)])
    kernel = model.layers[1].kernel.numpy()
    kernel[1] *= 1e-3
    model.layers[1].kernel.assign(kernel)
    seen = {}

    def spy(parts):
        seen["score"] = taylor(parts)
        return seen["score"]

    taylor = channels.Taylor(x, y, loss="mse", batch_size=32)
    spy.passes = taylor.passes
    channels.plan(model, 0.25, score=spy, multiple=1)
    before = float(np.mean((y - model(x)) ** 2))
    kernel[1] = 0.0
    model.layers[1].kernel.assign(kernel)
    after = float(np.mean((y - model(x)) ** 2))
    assert np.sqrt(seen["score"][1]) == pytest.approx(abs(after - before), rel=0.05)


def test_taylor_without_a_loss_is_refused(network):
    with pytest.raises(ValueError, match="Taylor needs a loss"):
        channels.plan(network, 0.25, score=channels.Taylor(np.zeros((4, 6)), np.zeros((4, 3))))


def test_any_function_is_a_score(network):
    roles = {}

    def last_first(parts):
        roles.update({part.variable.path.split("/", 1)[1]: (part.role, part.values.shape) for part in parts})
        return -np.arange(8.0)

    assert left(network, last_first) == [0, 1, 2, 3, 4, 5]
    assert roles["hidden/kernel"] == ("makes", (8, 6))
    assert roles["out/kernel"] == ("reads", (8, 3))
    assert roles["norm/gamma"] == ("scales", (8, 1))
    assert roles["norm/moving_mean"] == ("shifts", (8, 1))


def test_a_score_of_the_wrong_shape_is_refused(network):
    with pytest.raises(ValueError, match="must return 8 finite numbers"):
        channels.plan(network, 0.25, score=lambda parts: np.zeros(3))
