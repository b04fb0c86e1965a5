import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink import factorize
from keras_shrink.factorization import plan
from tests.keras_shrink.networks import pictures


def convolutional(seed=0):
    """A picture network in which every form has its place."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((9, 7, 16), name="picture")
    x = layers.Conv2D(12, 3, padding="same", activation="relu", name="wide")(inputs)
    x = layers.Conv2D(7, (2, 3), strides=(1, 2), activation="relu", name="rows")(x)
    x = layers.Conv2D(12, 1, strides=2, padding="same", name="pointwise")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2D(20, (3, 1), dilation_rate=2, padding="same", name="strided")(x)
    x = layers.Reshape((-1, 12), name="flat")(layers.Conv2D(12, 1, name="narrow")(x))
    x = layers.Conv1D(8, 2, padding="causal", name="sequence")(x)
    outputs = layers.Dense(8, activation="softmax", name="fc")(layers.Flatten()(x))
    return keras.Model(inputs, outputs, name="convolutional")


def give_biases(model, seed=0):
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if getattr(layer, "use_bias", False):
            layer.bias.assign(generator.normal(0, 0.3, layer.bias.shape))
    return model


@pytest.mark.parametrize("form", ["basis", "spatial", "tucker"])
def test_at_full_rank_the_function_stays(form):
    model = give_biases(convolutional())
    x = pictures(4, shape=(9, 7, 16))
    before = [w.copy() for w in model.get_weights()]
    ranks = {
        "basis": {"wide": 12, "rows": 7, "pointwise": 7, "strided": 20, "sequence": 8, "fc": 8},
        "spatial": {"wide": 36, "rows": 21},
        "tucker": {"wide": (16, 12), "rows": (12, 7), "strided": (12, 20), "sequence": (12, 8)},
    }[form]
    forms = (form,)
    known = plan(model, layers=ks.select.by_name(*ranks), ranks=ranks, forms=forms)
    assert all(p.chosen.form == form and p.chosen.loss == 0.0 for p in known.layers)
    new = known.apply()
    np.testing.assert_allclose(new.predict(x, verbose=0), model.predict(x, verbose=0), atol=2e-6)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    names = [layer.name for layer in new.layers]
    assert {layer.name for layer in model.layers} <= set(names)


def test_the_error_told_is_that_of_the_outputs_of_a_linear_layer():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((32,)), layers.Dense(32, use_bias=False, name="fc")])
    known = plan(model, ranks={"fc": 8})
    x = np.eye(32, dtype="float32")
    wanted, found = (m.predict(x, verbose=0) for m in (model, known.apply()))
    error = np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
    assert known.layers[0].chosen.error == pytest.approx(error, rel=1e-4)
    assert 0.1 < error < 0.9


@pytest.mark.parametrize("goal", ["parameters", "macs"])
@pytest.mark.parametrize("share", [0.8, 0.5, 0.3])
def test_a_budget_over_the_model_is_met_closely(goal, share):
    model = keras.Sequential(
        [
            keras.Input((12, 12, 16)),
            layers.Conv2D(32, 3, activation="relu", name="a"),
            layers.Conv2D(48, 3, strides=2, name="b"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(64, name="c"),
        ]
    )
    known = plan(model, **{goal: share})
    small = known.apply()
    if goal == "parameters":
        found = small.count_params() / model.count_params()
    else:
        stays = {p.layer.name: p for p in known.layers}
        found = sum(p.chosen.macs for p in stays.values()) / sum(p.now.macs for p in stays.values())
    assert 0.96 * share <= found <= share  # less than one rank of one layer is left over


def test_the_budget_goes_to_the_layers_that_need_it():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((40,)), layers.Dense(40, name="simple"), layers.Dense(40, name="full")]
    )
    generator = np.random.default_rng(0)
    simple = generator.normal(size=(40, 4)) @ generator.normal(size=(4, 40))
    model.get_layer("simple").kernel.assign(simple + 0.01 * generator.normal(size=(40, 40)))
    known = {p.layer.name: p for p in plan(model, parameters=0.65).layers}
    assert known["simple"].chosen.ranks[0] < 8
    assert known["full"].reason == "the budget is met without it, at less loss"
    alike = plan(model, parameters=0.65, scope="layer").layers
    assert len({p.chosen.ranks for p in alike}) == 1


def test_energy_is_kept_in_each_layer_with_as_few_parameters_as_can_be():
    model = convolutional()
    for planned in plan(model, energy=0.6).layers:
        if not planned.reason:
            assert planned.chosen.loss <= 0.4
            assert planned.chosen.parameters < planned.now.parameters
    kept = plan(model, energy=1.0)
    assert all(p.reason == "factors that do this cost as many parameters or more" for p in kept.layers)


def test_what_stays_is_listed_with_the_reason():
    inputs = keras.Input((8, 8, 4))
    x = layers.DepthwiseConv2D(3, name="depthwise")(inputs)
    x = layers.Conv2D(8, 3, groups=2, name="grouped")(x)
    x = layers.Conv2D(8, 3, kernel_constraint="non_neg", name="held")(x)
    x = layers.TimeDistributed(layers.Dense(8, name="inner"), name="outer")(layers.Flatten()(x)[:, None])
    model = keras.Model(inputs, layers.Dense(2, name="tiny")(layers.Flatten()(x)))
    text = str(plan(model, energy=0.5))
    assert "depthwise: stays, a DepthwiseConv2D has no factored form (Dense, Conv1D" in text
    assert "grouped: stays, it has 2 groups" in text
    assert "held: stays, its kernel has a constraint" in text
    assert "inner: stays, another layer calls it, not the model" in text
    assert "tiny: basis, rank 1, parameters 16 -> 10, MACs 16 -> 10, error" in text


def test_embeddings_keep_their_mask():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(50, 16, mask_zero=True, name="words")(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="head")(layers.GlobalAveragePooling1D()(x)))
    x = np.array([[3, 4, 5, 0, 0, 0], [9, 8, 7, 6, 1, 2]], "int32")
    full = factorize(model, ranks={"words": 16})
    np.testing.assert_allclose(full.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    half = factorize(model, layers=ks.select.by_name("words"), parameters=0.5)
    assert half.count_params() <= model.count_params() / 2
    assert half.get_layer("words_basis").output_dim == half.get_layer("words").kernel.shape[0]


def test_shared_layers_stay_shared_and_nested_ones_are_found():
    keras.utils.set_random_seed(0)
    shared = layers.Dense(24, name="shared")
    inner = keras.Sequential(
        [keras.Input((24,)), layers.Dense(24, name="inside"), layers.ReLU()], name="inner"
    )
    inputs = keras.Input((24,))
    model = give_biases(keras.Model(inputs, inner(shared(shared(inputs)))))
    full = factorize(model, ranks={"shared": 24, "inside": 24})
    x = pictures(3, shape=(24,))
    np.testing.assert_allclose(full.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)
    assert len(full.weights) == 6
    names = [layer.name for layer in full.get_layer("inner").layers]
    assert names[:2] == ["inside_basis", "inside"]
    assert plan(model, macs=0.5).layers[0].now.macs == 2 * 24 * 24


def test_the_result_trains_quantizes_and_converts():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv"),
            layers.Conv2D(16, 3, strides=2, name="strided"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Flatten(name="flatten"),
            layers.Dense(5, name="scores"),
        ]
    )
    small = factorize(model, parameters=0.5, forms=("tucker", "spatial"))
    assert isinstance(small, keras.Sequential)
    assert small.count_params() <= model.count_params() / 2
    x = pictures(32, shape=(8, 8, 4))
    qat = ks.quantize(small)
    qat.compile("sgd", "mse", jit_compile=False)
    qat.fit(x, np.zeros((32, 5)), verbose=0)
    tfl = te.convert(qat)
    assert {tensor.dtype for tensor in tfl.graph.main.tensors} <= {"int8", "int32"}


def test_frozen_layers_penalties_and_compilation_survive():
    model = keras.Sequential([keras.Input((32,)), layers.Dense(32, name="fc", kernel_regularizer="l2")])
    assert len(factorize(model, parameters=0.5).losses) == 2
    model.get_layer("fc").trainable = False
    model.compile(keras.optimizers.SGD(0.25), "mse")
    small = factorize(model, parameters=0.5)
    assert not any(layer.trainable for layer in small.layers)
    assert float(small.optimizer.learning_rate) == 0.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"Pass exactly one goal of \['parameters', 'macs', 'energy', 'ranks'\]. Received: none"),
        ({"parameters": 0.5, "macs": 0.5}, r"Pass exactly one goal"),
        ({"parameters": 50}, r"parameters must be a share in \(0, 1\). Received: parameters=50"),
        ({"energy": 1.5}, r"energy must be a share in \(0, 1\). Received: energy=1.5"),
        ({"macs": 0.5, "scope": "all"}, r'scope must be "model" or "layer". Received: scope=\'all\''),
        ({"macs": 0.5, "forms": ("svd",)}, r"forms must be among \['basis', 'spatial', 'tucker'\]"),
        ({"macs": 0.5, "multiple": 0}, r"multiple must be an integer from 1. Received: multiple=0"),
        ({"ranks": {"fc": 99}}, r"'fc' can have ranks from 1 to {'basis': \(8,\)}. Received: \(99,\)"),
        ({"ranks": {"no": 1}}, r"No chosen layer has the name \['no'\]"),
        ({"parameters": 0.01}, r"budget cannot be met: with rank 1 everywhere 0\.\d+ of the parameters"),
        ({"layers": ks.select.by_name("none"), "energy": 0.5}, r"No layer with a kernel was chosen"),
    ],
)
def test_bad_goals_are_refused(arguments, message):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(8, name="fc")])
    with pytest.raises(ValueError, match=message):
        factorize(model, **arguments)


def test_multiplications_need_sizes():
    model = keras.Sequential([keras.Input((None, None, 8)), layers.Conv2D(8, 3, name="conv")])
    with pytest.raises(ValueError, match=r"the input of 'conv' has no fixed size.*parameters="):
        factorize(model, macs=0.5)
    assert factorize(model, parameters=0.5).count_params() < model.count_params() / 2
