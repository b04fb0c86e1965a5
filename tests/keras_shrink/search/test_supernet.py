"""All candidates in one network."""

import keras
import numpy as np
import pytest

from keras_shrink.search import spaces
from keras_shrink.search.building import build
from keras_shrink.search.choices import Chosen
from keras_shrink.search.sketch import Sketch
from keras_shrink.search.supernet import Supernet

CANDIDATES = {
    "stride at first": {"stem_stride": 2, "blocks": 1, "stride_1": 1, "kernel_1": 3, "filters_1": 4},
    "deep": {"stem_filters": 4, "blocks": 2, "stride_1": 2, "stride_2": 2, "kernel_2": 5, "filters_2": 8},
    "wide": {"stem_filters": 12, "stem_kernel": 7, "blocks": 2, "stride_1": 1, "stride_2": 2},
}


def assigned(supernet, values):
    """Puts all probability on one candidate, and returns its choices."""
    whole = values | {name: values.get(name, options[-1]) for name, options in supernet.options.items()}
    for name, options in supernet.options.items():
        supernet.logits[name].assign(10.0 * np.eye(len(options))[options.index(whole[name])])
    return whole


def give(model, shared):
    """Gives the layers of a candidate their part of the supernet's weights."""
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    layers.sort(key=lambda layer: int(layer.name.rpartition("_")[2]))
    for layer, weights in zip(layers, shared, strict=True):
        targets = {"kernel": layer.kernel}
        follower = next((other for other in model.layers if other.name == f"{layer.name}_norm"), None)
        if follower is not None:
            targets |= {"gamma": follower.gamma, "beta": follower.beta}
        else:
            targets |= {"beta": layer.bias}
        for name, target in targets.items():
            source = np.array(weights[name])
            source += 0.1 * np.random.default_rng(len(layer.name)).normal(size=source.shape)
            weights[name].assign(source)
            starts = [(a - b) // 2 if name == "kernel" and i < source.ndim - 2 else 0
                      for i, (a, b) in enumerate(zip(source.shape, target.shape, strict=True))]  # fmt: skip
            target.assign(source[tuple(slice(s, s + n) for s, n in zip(starts, target.shape, strict=True))])


def assert_same_outputs(supernet, model, shape):
    x = np.random.default_rng(0).normal(size=(6, *shape)).astype("float32")
    np.testing.assert_allclose(keras.ops.softmax(supernet(x)), model(x, training=True), atol=2e-4)


@pytest.mark.parametrize("name", CANDIDATES)
def test_with_all_probability_on_a_candidate_it_computes_what_the_candidate_does(name):
    space = spaces.ds_cnn((12, 9, 1), 4, most_filters=12, most_blocks=3)
    supernet = Supernet(space, seed=0)
    model = build(space(Chosen(assigned(supernet, CANDIDATES[name]))))
    shared = [weights for weights in supernet.shared if weights]
    layers = sum(hasattr(layer, "kernel") for layer in model.layers)
    give(model, [*shared[: layers - 1], shared[-1]])
    assert_same_outputs(supernet, model, (12, 9, 1))


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("separable", [False, True])
def test_operators_and_pools_are_mixed(pool, separable):
    space = spaces.cnn_1d((23, 3), 4, most_filters=8, most_blocks=2)
    supernet = Supernet(space, seed=0)
    values = {
        "blocks": 2,
        "separable_2": separable,
        "pool_2": pool,
        "stride_1": 2,
        "kernel_2": 5,
        "filters_1": 4,
    }
    model = build(space(Chosen(assigned(supernet, values))))
    first, full, depthwise, pointwise, last = (weights for weights in supernet.shared if weights)
    shared = [first, depthwise, pointwise, last] if separable else [first, full, last]
    give(model, shared)
    assert_same_outputs(supernet, model, (23, 3))


@pytest.mark.parametrize("filters", [8, 12])
def test_short_cuts_are_there_as_far_as_shapes_are_equal(filters):
    space = spaces.inverted_residual((8, 8, 3), 4, most_filters=12, most_blocks=1)
    supernet = Supernet(space, seed=0)
    values = {
        "stem_filters": 8,
        "filters_1": filters,
        "stride_1": 1,
        "stem_stride": 1,
        "expansion_1": 2,
        "blocks": 1,
    }
    sketch = space(Chosen(assigned(supernet, values)))
    assert ("add" in [step.kind for step in sketch.steps]) == (filters == 8)
    model = build(sketch)
    give(model, [weights for weights in supernet.shared if weights])
    assert_same_outputs(supernet, model, (8, 8, 3))


@pytest.mark.parametrize("filters", [8, 12])
def test_projections_are_there_as_far_as_shapes_differ(filters):
    space = spaces.resnet((8, 8, 3), 4, most_filters=16, most_stacks=1)
    supernet = Supernet(space, seed=0)
    values = {"stem_filters": 8, "stem_stride": 2, "filters_1": filters, "blocks_1": 1, "stacks": 1}
    model = build(space(Chosen(assigned(supernet, values))))
    shared = [weights for weights in supernet.shared if weights]
    stem, inside, outside, project, *_, last = shared
    found = [stem, inside, outside, last] if filters == 8 else [stem, inside, outside, project, last]
    give(model, found)
    assert_same_outputs(supernet, model, (8, 8, 3))


@pytest.mark.parametrize("units", [8, 4])
def test_an_lstm_of_fewer_units_is_the_first_part_of_a_larger_one(units):
    space = spaces.small_rnn((12, 3), 4, most_units=8, most_filters=4)
    supernet = Supernet(space, seed=0)
    values = {"convolutions": 1, "units": units, "stride_1": 2, "filters_1": 4}
    model = build(space(Chosen(assigned(supernet, values))))
    first, _, lstm, last = (weights for weights in supernet.shared if weights)
    layers = {type(layer).__name__: layer for layer in model.layers}
    cell, dense, conv = (layers[name] for name in ("LSTM", "Dense", "Conv2D"))
    kernel, recurrent, beta = (
        np.array(lstm[name]).reshape(-1, 4, 8)[..., :units] for name in ("kernel", "recurrent", "beta")
    )
    cell.set_weights([kernel.reshape(4, -1), recurrent[:units].reshape(units, -1), beta.reshape(-1)])
    dense.set_weights([np.array(last["kernel"])[:units], np.array(last["beta"])])
    conv.kernel.assign(first["kernel"])
    assert_same_outputs(supernet, model, (12, 3))


def test_every_choice_that_matters_gets_a_gradient():
    for space, shape in (
        (spaces.resnet((8, 8, 1), 3, most_filters=16, most_stacks=1), (8, 8, 1)),
        (spaces.mlp((5,), 3, most_units=8), (5,)),
    ):
        supernet = Supernet(space, seed=0)
        supernet.decides.assign(1.0)
        before = {name: np.array(logits) for name, logits in supernet.logits.items()}
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        supernet.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
        x = np.random.default_rng(0).normal(size=(12, *shape))
        supernet.fit(x, np.arange(12) % 3, epochs=1, verbose=0)
        assert all(
            np.abs(np.array(logits) - before[name]).max() > 0 for name, logits in supernet.logits.items()
        )


def test_what_cannot_be_mixed_is_named():
    def by_python(choices):
        sketch = Sketch((4,))
        x = sketch.input
        for _ in range(choices.int("layers", 1, 3)):
            x = sketch.dense(x, 4)
        return sketch

    with pytest.raises(ValueError, match="decides in Python by layers.*sketch.repeat"):
        Supernet(by_python)

    def by_comparison(choices):
        sketch = Sketch((4,))
        sketch.dense(sketch.input, 4 if choices.int("layers", 1, 3) > 1 else 8)
        return sketch

    with pytest.raises(ValueError, match="decides in Python by layers"):
        Supernet(by_comparison)

    def flat(choices):
        sketch = Sketch((8, 8, 1))
        x = sketch.conv(sketch.input, 4, 3, stride=choices.categorical("stride", (1, 2)))
        sketch.dense(sketch.flatten(x), 3)
        return sketch

    with pytest.raises(ValueError, match="no form for .* flatten of a picture whose size is chosen"):
        Supernet(flat)
    with pytest.raises(ValueError, match="Received: a space that returns Sequential"):
        Supernet(lambda choices: keras.Sequential())
