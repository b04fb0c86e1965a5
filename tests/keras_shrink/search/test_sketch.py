"""Networks drawn before they exist."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_shrink as ks
import tflite_export as te
from keras_shrink.search import spaces
from keras_shrink.search.building import build
from keras_shrink.search.choices import Chosen, Drawn
from keras_shrink.search.costs import cost_of
from keras_shrink.search.sketch import Sketch

SPACES = {
    "ds_cnn": spaces.ds_cnn((12, 10, 1), 4, most_filters=16, most_blocks=2),
    "inverted_residual": spaces.inverted_residual((8, 8, 3), 4, most_filters=12, most_blocks=2),
    "resnet": spaces.resnet((8, 8, 3), 4, most_filters=16, most_stacks=2),
    "cnn_1d": spaces.cnn_1d((32, 3), 4, most_filters=12, most_blocks=3),
    "mlp": spaces.mlp((5, 4), 4, most_units=16),
    "small_rnn": spaces.small_rnn((20, 3), 4, most_units=8, most_filters=8),
}


def trained_looking(model, seed=0):
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(np.abs(generator.normal(0, 0.3, weight.shape)) + 0.1)
    return model


@pytest.mark.filterwarnings("ignore:The file computes LSTM layers")  # small_rnn, once a sequence
@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_costs_of_a_sketch_are_those_of_the_file_it_becomes(name, seed):
    sketch = SPACES[name](Drawn(np.random.default_rng(seed)))
    model = trained_looking(build(sketch))
    samples = np.random.default_rng(seed).normal(size=(8, *sketch.shapes[0])).astype("float32")
    facts = te.summary(te.convert(ks.calibrate(model, samples, strict=True)), measure=False)
    graph = sketch.graph()
    assert [op.code for op in facts.ops] == [op.code for op in graph.main.ops]
    cost = cost_of(graph)
    assert cost.macs == facts.macs
    assert cost.arena_bytes == facts.plan_bytes
    assert cost.weight_bytes == sum(
        np.prod(weight.shape) * (1 if "kernel" in weight.path else 4)
        for weight in ks.fold_normalization(model).weights
    )


@given(st.sampled_from(sorted(SPACES)), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_every_candidate_has_a_finite_cost_and_the_right_output(name, seed):
    sketch = SPACES[name](Drawn(np.random.default_rng(seed)))
    assert sketch.shapes[-1] == (4,)
    cost = cost_of(sketch.graph())
    assert min(cost.macs, cost.flash_bytes, cost.ram_bytes, cost.instructions) > 0
    assert cost.arena_bytes >= np.prod(sketch.shapes[0])


def test_more_filters_cost_more_of_everything():
    def cost(filters):
        sketch = Sketch((16, 16, 3))
        x = sketch.conv(sketch.input, filters, 3)
        sketch.dense(sketch.average(sketch.conv(x, filters, 3)), 10, activation="softmax")
        return cost_of(sketch.graph())

    small, large = cost(8), cost(32)
    assert small.macs < large.macs
    assert small.flash_bytes < large.flash_bytes
    assert small.ram_bytes < large.ram_bytes
    assert small.instructions < large.instructions


def test_a_candidate_is_built_again_from_its_choices():
    drawn = Drawn(np.random.default_rng(3))
    sketch = SPACES["ds_cnn"](drawn)
    again = SPACES["ds_cnn"](Chosen(drawn.values))
    assert again.steps == sketch.steps
    assert build(again).count_params() == build(sketch).count_params()


def test_choices_of_another_space_are_refused():
    with pytest.raises(ValueError, match="not of this space: stem_filters must be one of .*=5"):
        SPACES["ds_cnn"](Chosen({"stem_filters": 5}))


def test_a_built_candidate_trains():
    model = build(SPACES["cnn_1d"](Drawn(np.random.default_rng(1))))
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    x = np.random.default_rng(0).normal(size=(16, 32, 3))
    assert np.isfinite(model.fit(x, np.arange(16) % 4, verbose=0).history["loss"][0])
    assert isinstance(model, keras.Model)
