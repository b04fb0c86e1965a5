import itertools
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_shrink as ks
from keras_shrink.pruning import Global


def small_model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu", name="a"),
            keras.layers.Dense(8, activation="relu", name="b"),
            keras.layers.Dense(4, name="c"),
        ]
    )


def data(samples=64):
    generator = np.random.default_rng(0)
    return generator.normal(size=(samples, 8)).astype("float32"), generator.normal(size=(samples, 4)).astype(
        "float32"
    )


def train(model, optimizer, steps, pruner=None, step_function=None):
    x, y = data()

    def plain_step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)

    step = step_function or tf.function(plain_step)
    for _ in range(steps):
        if pruner is not None:
            pruner.step()
        step(x, y)


def zeros(model):
    return {k.name: float(np.mean(k.variable.numpy() == 0)) for k in ks.select.find_kernels(model)}


def test_a_custom_loop_prunes_and_keeps_zeros_afterwards():
    model, optimizer = small_model(), keras.optimizers.Adam(0.01)
    pruner = ks.Pruner(ks.schedules.polynomial(0.0, 0.75, end_step=10), frequency=2)
    pruner.begin(model, optimizer)
    train(model, optimizer, 12, pruner)
    pruner.end()
    assert zeros(model) == {"a": 0.75, "b": 0.75, "c": 0.75}
    assert pruner.sparsity == 0.75
    before = [w.copy() for w in model.get_weights()]
    train(model, optimizer, 5)
    assert zeros(model) == {"a": 0.75, "b": 0.75, "c": 0.75}
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_a_loop_without_an_optimizer_counts_calls_and_a_leak_is_stopped_and_told():
    model = small_model()
    pruner = ks.Pruner(ks.schedules.constant(0.5), frequency=2)
    pruner.begin(model)

    def by_hand(x, y):
        for variable in model.trainable_variables:
            variable.assign_add(0.01 * tf.ones(variable.shape))

    with pytest.warns(UserWarning, match="Pruned weights came back during training"):
        train(model, None, 4, pruner, by_hand)
    pruner.end()
    assert pruner.current_step == 4
    assert zeros(model) == {"a": 0.5, "b": 0.5, "c": 0.5}


def test_momentum_does_not_bring_weights_back():
    model, optimizer = small_model(), keras.optimizers.SGD(0.05, momentum=0.95, nesterov=True)
    train(model, optimizer, 10)
    pruner = ks.Pruner(0.5, frequency=1)
    pruner.begin(model, optimizer)
    train(model, optimizer, 3, pruner)
    assert zeros(model) == {"a": 0.5, "b": 0.5, "c": 0.5}


def test_a_mapping_gives_each_choice_its_fraction_and_leaves_the_rest_alone():
    model = small_model()
    pruner = ks.Pruner({ks.select.by_name("a"): 0.25, model.layers[1]: ks.schedules.constant(0.5)})
    pruner.begin(model)
    pruner.step()
    assert zeros(model) == {"a": 0.25, "b": 0.5, "c": 0.0}
    assert pruner.layer_sparsity == {"a": 0.25, "b": 0.5}


def test_the_first_entry_that_chooses_a_layer_wins_and_layers_limits_all():
    model = small_model()
    everything = ks.select.has_kernel
    pruner = ks.Pruner({ks.select.by_name("a"): 0.25, everything: 0.5}, layers=~ks.select.by_name("c"))
    pruner.begin(model)
    pruner.step()
    assert zeros(model) == {"a": 0.25, "b": 0.5, "c": 0.0}


def test_a_global_scope_ranks_layers_together():
    model = small_model()
    model.layers[0].kernel.assign(model.layers[0].kernel * 0.001)
    pruner = ks.Pruner(0.5, scope=Global(normalize=False, min_kept=0.05))
    pruner.begin(model)
    pruner.step()
    assert pruner.masks()["a"].sum() == 7  # 5 % of 128, rounded up
    assert sum(int((~mask).sum()) for mask in pruner.masks().values()) == 144


def test_frozen_layers_are_left_alone_and_reported(caplog):
    model = small_model()
    model.layers[1].trainable = False
    pruner = ks.Pruner(0.5)
    pruner.begin(model)
    pruner.step()
    assert zeros(model) == {"a": 0.5, "b": 0.0, "c": 0.5}
    assert pruner.skipped == {"b": "frozen"}
    assert "b (frozen)" in caplog.text


def test_weights_come_back_only_until_told():
    model, optimizer = small_model(), keras.optimizers.SGD(0.5)
    pruner = ks.Pruner(0.5, frequency=1, surgery=ks.pruning.Surgery(until=6))
    pruner.begin(model, optimizer)
    seen = []
    x, y = data()

    for _ in range(12):
        pruner.step()
        seen.append(np.concatenate([mask.ravel() for mask in pruner.masks().values()]))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    came_back = [bool((later & ~earlier).any()) for earlier, later in itertools.pairwise(seen)]
    assert any(came_back[:6])
    assert not any(came_back[6:])
    assert {mask.mean() for mask in seen} == {0.5}


def test_zeros_of_an_earlier_pruning_are_kept_and_can_be_given_up():
    model = small_model()
    kernel = model.layers[0].kernel
    kernel.assign(np.where(np.arange(128).reshape(8, 16) % 4 == 0, 0.0, kernel.numpy()))
    ks_keeps = ks.Pruner(0.0)
    ks_keeps.begin(model)
    assert ks_keeps.layer_sparsity["a"] == 0.25
    fresh = small_model()
    fresh.layers[0].kernel.assign(kernel.numpy())
    gives_up = ks.Pruner(0.0, keep_zeros=False)
    gives_up.begin(fresh)
    assert gives_up.layer_sparsity["a"] == 0.0


def test_a_kernel_of_equal_or_zero_weights_prunes_to_the_fraction_asked():
    model = small_model()
    model.layers[0].kernel.assign(np.zeros((8, 16)))
    model.layers[1].kernel.assign(np.ones((16, 8)))
    pruner = ks.Pruner(0.75)
    pruner.begin(model)
    pruner.step()
    assert pruner.layer_sparsity == {"a": 0.75, "b": 0.75, "c": 0.75}


def test_bad_choices_are_refused():
    for options, message in [
        ({"schedule": 1.5}, r"sparsity must be in \[0, 1\). Received: sparsity=1.5"),
        ({"schedule": {}}, "a mapping that is not empty"),
        (
            {"schedule": 0.5, "frequency": 0},
            "frequency must be an integer of at least 1. Received: frequency=0",
        ),
        ({"schedule": 0.5, "surgery": 100}, r"surgery must be None or a Surgery.*Received: surgery=100"),
        ({"schedule": 0.5, "pattern": "2:4"}, "pattern must be an Element, a Block or an NofM"),
        ({"schedule": 0.5, "pattern": ks.Element}, r"Patterns are objects: Element\(\), not Element"),
        ({"schedule": 0.5, "score": "l1"}, "score must be a function"),
        ({"schedule": 0.5, "scope": "all"}, "Received: scope='all'"),
        ({"schedule": 0.5, "layers": "dense"}, "layers must be a function"),
    ]:
        with pytest.raises(ValueError, match=message):
            ks.Pruner(**options)


def test_what_does_not_fit_the_model_is_refused():
    model = small_model()
    with pytest.raises(
        ValueError, match=r"No layer to prune was chosen.*Layers with a kernel.*'a', 'b', 'c'"
    ):
        ks.Pruner(0.5, layers=ks.select.by_name("d")).begin(model)
    with pytest.raises(ValueError, match=r"makes at most 0\.5 of the weights zero.*asks for 0\.75"):
        ks.Pruner(0.75, pattern=ks.NofM(2, 4)).begin(model)
    with pytest.raises(ValueError, match="The model must be built"):
        ks.Pruner(0.5).begin(keras.Sequential([keras.layers.Dense(2)]))
    for value in (float("nan"), 1.0, -0.1):
        pruner = ks.Pruner(lambda step, value=value: value)
        with pytest.raises(ValueError, match=r"must return a fraction in \[0, 1\)"):
            pruner.begin(model)


def test_beginning_raises_no_warning_for_a_model_without_an_optimizer():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ks.Pruner(0.5).begin(small_model())
