import re

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink import channels
from tests.keras_shrink.networks import mobile_network, pictures, residual_network


@pytest.fixture(scope="module")
def network():
    model = residual_network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def perceptron(*units):
    stack = [layers.Dense(n, activation="relu", name=f"fc{i}") for i, n in enumerate(units)]
    return keras.Sequential([keras.Input((8,)), *stack])


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("budget", [{"macs": 0.5}, {"parameters": 0.3}, {"macs": 14000}])
def test_budgets_are_met_within_five_percent(network, budget, scope):
    plan = channels.plan(network, **budget, scope=scope, multiple=1)
    ((kind, limit),) = budget.items()
    before, after = getattr(plan, kind)
    allowed = limit * before if isinstance(limit, float) else limit
    assert 0.95 * allowed <= after <= allowed
    assert plan.apply().count_params() == plan.parameters[1]


def test_multiply_accumulates_are_those_of_the_converted_file():
    model = mobile_network()
    plan = channels.plan(model, macs=0.5)
    for which, one in enumerate((model, plan.apply())):
        tflite = te.convert(one, pictures())
        assert te.summary(tflite, measure=False).macs == plan.macs[which]


@pytest.mark.slow
def test_the_arena_that_tflm_needs_is_within_five_percent_of_the_budget():
    model = keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    plan = channels.plan(model, arena_bytes=14_000, multiple=1)
    assert 0.95 * 14_000 <= plan.arena_bytes[1] <= 14_000 < plan.arena_bytes[0]
    tflite = te.convert(plan.apply(), pictures(8, shape=(24, 24, 3)))
    assert te.summary(tflite).arena.required_bytes == plan.arena_bytes[1]
    assert "arena bytes on TFLM" in str(plan)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({}, "Give exactly one of amount, macs, parameters and arena_bytes. Received: none"),
        ({"amount": 0.5, "macs": 0.5}, "Received: amount=0.5, macs=0.5"),
        ({"amount": 2}, r"amount must be a fraction in \(0, 1\). Received: amount=2"),
        ({"macs": 1.5}, "macs must be a fraction .* Received: macs=1.5"),
        ({"macs": 0.5, "scope": "all"}, "scope must be one of .* Received: scope='all'"),
        ({"macs": 0.5, "multiple": 0}, "multiple must be .* Received: multiple=0"),
        ({"macs": 0.5, "score": "l1"}, "score must be a function .* Received: score='l1'"),
        ({"macs": 0.5, "layers": lambda layer: False}, "layers chooses no layer"),
        ({"parameters": 3}, "out of reach: .* 46 of 178 parameters are left. Received: parameters=3"),
    ],
)
def test_what_cannot_be_is_refused(budget, message):
    with pytest.raises(ValueError, match=message):
        ks.prune_channels(perceptron(16, 2), **budget)


def test_an_arena_out_of_reach_is_refused():
    with pytest.raises(ValueError, match="whole model needs .* Received: arena_bytes=100"):
        ks.prune_channels(perceptron(16, 2), arena_bytes=100)


def test_names_compilation_and_the_model_given_stay(network):
    before = [weight.numpy() for weight in network.weights]
    smaller = ks.prune_channels(network, macs=0.5)
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in network.layers]
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    assert type(smaller.optimizer).__name__ == "Adam"
    assert smaller.output_shape == network.output_shape


@pytest.mark.parametrize("jit", [False, True])
def test_what_is_left_trains_and_survives_saving(jit, tmp_path):
    smaller = ks.prune_channels(perceptron(16, 16, 4), macs=0.5)
    smaller.compile("adam", "mse", jit_compile=jit)
    x = pictures(32, shape=(8,))
    smaller.fit(x, x[:, :4], verbose=0)
    smaller.save(tmp_path / "smaller.keras")
    loaded = keras.saving.load_model(tmp_path / "smaller.keras")
    np.testing.assert_allclose(loaded(x), smaller(x), rtol=1e-5, atol=1e-6)


def test_what_is_left_can_be_quantized_and_converted(network):
    smaller = ks.prune_channels(network, macs=0.5)
    quantized = ks.calibrate(smaller, pictures())
    tflite = te.convert(quantized)
    result = te.verify(tflite, pictures(16, seed=1), quantized)
    assert result.keras[0].max_steps <= 2


def test_an_amount_counts_the_channels_that_may_go():
    smaller = ks.prune_channels(perceptron(16, 16, 4), 0.25, scope="layer")
    assert [layer.units for layer in smaller.layers] == [12, 12, 4]


def test_global_ranking_cuts_where_channels_matter_least():
    model = perceptron(16, 16, 4)
    kernel = model.layers[1].kernel.numpy()
    kernel[:, :12] *= 1e-3
    model.layers[1].kernel.assign(kernel)
    smaller = ks.prune_channels(model, 0.375, score=channels.l1)
    assert [layer.units for layer in smaller.layers] == [16, 4, 4]


def test_multiples_hold_for_every_layer_of_a_family():
    inputs = keras.Input((8, 8, 3))
    a, b = layers.Conv2D(16, 1, name="a")(inputs), layers.Conv2D(24, 1, name="b")(inputs)
    x = layers.Add()([layers.Concatenate()([a, b]), layers.Conv2D(40, 1, name="c")(inputs)])
    x = layers.Conv2D(48, 3, groups=12, name="grouped")(layers.Conv2D(24, 1, name="d")(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    plan = channels.plan(model, 0.5, multiple=8, scope="layer")
    left = {row.name: row.after for row in plan.layers}
    assert left["a"] + left["b"] == left["c"]
    assert left["grouped"] == 2 * left["d"]
    assert all(left[name] % 8 == 0 and left[name] < row.before for row in plan.layers for name in [row.name]
               if row.before > 2)  # fmt: skip


def test_a_layer_of_one_multiple_is_left_alone_and_said():
    plan = channels.plan(perceptron(16, 8, 2), 0.3, multiple=8)
    assert [row.after for row in plan.layers] == [8, 8, 2]
    assert [row.reason for row in plan.layers] == [
        "",
        "no more than one multiple of 8",
        "output of the model",
    ]


def test_only_chosen_layers_lose_channels():
    smaller = ks.prune_channels(perceptron(16, 16, 4), macs=0.8, layers=ks.select.by_name("fc1"))
    assert [layer.units for layer in smaller.layers][0::2] == [16, 4]
    assert smaller.layers[1].units < 16


class Swap(layers.Layer):
    def call(self, x):
        return x[..., ::-1]


class Doubled(layers.Dense):
    def call(self, inputs, training=None):
        return 2 * super().call(inputs)[..., ::-1]


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Swap(name="swap"), r"no rule for Swap \(swap\)"),
        (Doubled(8, name="doubled"), r"Doubled \(doubled\) overrides call and has no rule of its own"),
        (layers.LayerNormalization(name="norm"), "norm looks at all channels"),
        (layers.Softmax(name="softmax"), "softmax looks at all channels"),
        (layers.Reshape((4, 4), name="grid"), "grid spreads channels over several axes"),
    ],
)
def test_what_is_not_understood_is_left_alone_and_said(layer, reason):
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(16, name="before"),
            layer,
            layers.Flatten(),
            layers.Dense(8),
            layers.Dense(2),
        ]
    )
    plan = channels.plan(model, 0.5)
    (row,) = [row for row in plan.layers if row.name == "before"]
    assert row.after == 16
    assert re.fullmatch(reason, row.reason)
    assert row.reason in str(plan)


def test_low_rank_adapters_are_left_alone_and_said():
    model = perceptron(16, 16, 4)
    model.layers[1].enable_lora(2)
    plan = channels.plan(model, 0.1)
    assert [row.after for row in plan.layers] == [16, 4]
    assert plan.layers[0].reason == "fc1 has weights of its own kind: LoRA, or quantized by Keras"


def test_a_rule_can_be_registered():
    class Factor(layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

        def call(self, x):
            return x * self.factor

    @channels.rule.register(Factor)
    def _(layer, step):
        ids = step.along(-1)
        step.network.weight(layer.factor, {0: ids}, role="scales")
        return [step.gives(ids)]

    model = keras.Sequential([keras.Input((8,)), layers.Dense(16), Factor(), layers.Dense(2)])
    assert ks.prune_channels(model, 0.5).layers[1].factor.shape == (8,)


def test_outputs_inside_the_model_keep_their_channels():
    inputs = keras.Input((8,))
    features = layers.Dense(16, name="features")(inputs)
    hidden = layers.Dense(16, name="hidden")(features)
    model = keras.Model(inputs, [features, layers.Dense(2)(hidden)])
    smaller = ks.prune_channels(model, 0.5)
    assert smaller.get_layer("features").units == 16
    assert smaller.get_layer("hidden").units == 8


def test_rounds_of_cutting_add_up(network):
    once = ks.prune_channels(network, macs=0.7, multiple=1)
    twice = ks.prune_channels(once, macs=0.7, multiple=1)
    assert twice.count_params() < once.count_params()


def test_subclassed_models_are_refused():
    class Mine(keras.Model):
        pass

    with pytest.raises(ValueError, match="subclassed model cannot be rebuilt"):
        ks.prune_channels(Mine(), macs=0.5)
