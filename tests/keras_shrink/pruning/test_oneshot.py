import keras
import numpy as np
import pytest

import keras_shrink as ks
from keras_shrink.pruning import Movement, Taylor

layers = keras.layers


def functional():
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 4), name="image")
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    x = layers.Add(name="add")([shared(image), shared(layers.ReLU(name="relu")(image))])
    x = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(8, 3, name="inside")], name="block")(x)
    x = layers.Flatten(name="flat")(layers.BatchNormalization(name="norm")(x))
    return keras.Model(image, layers.Dense(4, name="head")(x), name="net")


@keras.saving.register_keras_serializable("test_oneshot")
class Subclassed(keras.Model):
    def __init__(self, units=8, **options):
        super().__init__(**options)
        self.units = units
        self.hidden = layers.Dense(units, name="hidden")
        self.head = layers.Dense(4, name="head")

    def call(self, x):
        return self.head(self.hidden(x))

    def get_config(self):
        return {"units": self.units}


class Opaque(keras.Model):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, x):
        return self.layer(x)


def zeros(model):
    return {k.name: float(np.mean(k.variable.numpy() == 0)) for k in ks.select.find_kernels(model)}


def data(shape):
    generator = np.random.default_rng(0)
    return generator.normal(size=(16, *shape)).astype("float32"), generator.normal(size=(16, 4)).astype(
        "float32"
    )


def test_prune_returns_a_copy_and_leaves_the_model_alone():
    model = functional()
    before = model.get_weights()
    pruned = ks.prune(model, 0.75)
    assert zeros(pruned) == {"shared": 0.75, "block/inside": 0.75, "head": 0.75}
    assert all(map(np.array_equal, before, model.get_weights()))
    assert [layer.name for layer in pruned.layers] == [layer.name for layer in model.layers]
    assert all(k.variable.constraint is None for k in ks.select.find_kernels(model))


def test_the_copy_keeps_its_zeros_in_training_and_after_loading(tmp_path):
    pruned = ks.prune(functional(), 0.75)
    pruned.compile("adam", "mse", jit_compile=False)
    x, y = data((8, 8, 4))
    pruned.fit(x, y, verbose=0)
    assert set(zeros(pruned).values()) == {0.75}
    pruned.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.fit(x, y, epochs=1, verbose=0)
    assert set(zeros(loaded).values()) == {0.0}  # a loaded model is a plain model ...
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.fit(x, y, epochs=0, verbose=0)
    held = ks.keep_zeros(loaded)
    loaded.fit(x, y, epochs=2, verbose=0)
    assert set(zeros(loaded).values()) == set(held.values()) == {0.75}  # ... until it is told


def test_a_subclassed_model_is_copied_through_its_config():
    keras.utils.set_random_seed(0)
    model = Subclassed(units=12)
    x, y = data((6,))
    model(x)
    pruned = ks.prune(model, 0.5)
    assert zeros(pruned) == {"hidden": 0.5, "head": 0.5}
    assert set(zeros(model).values()) == {0.0}
    pruned.compile("sgd", "mse", jit_compile=False)
    pruned.fit(x, y, verbose=0)
    assert set(zeros(pruned).values()) == {0.5}


def test_a_model_that_cannot_be_copied_is_refused_with_the_way_out():
    model = Opaque(layers.Dense(4))
    model(np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"Opaque.*Give the class a get_config.*GradualPruning or Pruner"):
        ks.prune(model, 0.5)
    with pytest.raises(ValueError, match="model must be a built"):
        ks.prune(layers.Dense(2), 0.5)


def test_choices_name_layers_of_the_model_given():
    model = functional()
    pruned = ks.prune(model, {model.get_layer("head"): 0.5, ks.select.by_name("block"): 0.25})
    assert zeros(pruned) == {"shared": 0.0, "block/inside": 0.25, "head": 0.5}
    pruned = ks.prune(model, 0.5, layers=[model.get_layer("shared")])
    assert zeros(pruned) == {"shared": 0.5, "block/inside": 0.0, "head": 0.0}


def test_a_pattern_can_say_how_much():
    pruned = ks.prune(functional(), pattern=ks.NofM(1, 4), layers=ks.select.by_name("shared", "block"))
    assert zeros(pruned) == {"shared": 0.75, "block/inside": 0.75, "head": 0.0}
    with pytest.raises(ValueError, match="sparsity must be given for Element"):
        ks.prune(functional())


def test_taylor_scores_the_copy_with_its_own_loss():
    model = functional()
    x, y = data((8, 8, 4))
    model.compile("sgd", "mse")
    by_taylor = ks.prune(model, 0.5, score=Taylor(x, y))
    by_magnitude = ks.prune(model, 0.5)
    assert zeros(by_taylor) == zeros(by_magnitude)
    kernels = [m.get_layer("head").kernel.numpy() == 0 for m in (by_taylor, by_magnitude)]
    assert not np.array_equal(*kernels)


def test_a_score_that_needs_training_is_refused():
    with pytest.raises(ValueError, match=r"Received: score=Movement\(decay=1\.0\). Use it in GradualPruning"):
        ks.prune(functional(), 0.5, score=Movement())


def test_pruning_a_pruned_model_keeps_its_masks():
    once = ks.prune(functional(), 0.5)
    twice = ks.prune(once, 0.75)
    assert set(zeros(twice).values()) == {0.75}
    for a, b in zip(ks.select.find_kernels(once), ks.select.find_kernels(twice), strict=True):
        assert not b.variable.numpy()[a.variable.numpy() == 0].any()
