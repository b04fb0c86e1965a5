import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_shrink.distillation import (
    AttentionTransfer,
    Distiller,
    FeatureMatching,
    Objective,
    OutputMatching,
    SimilarityPreserving,
    SoftTargets,
)
from keras_shrink.distillation.places import Place
from tests.keras_shrink.distillation import pairs

MAKERS = {
    "soft targets": lambda **k: SoftTargets(2.0, **k),
    "soft targets, sigmoid": lambda **k: SoftTargets(2.0, kind="sigmoid", **k),
    "output matching": lambda **k: OutputMatching("huber", **k),
    "features": lambda **k: FeatureMatching({"conv": "conv"}, **k),
    "attention": lambda **k: AttentionTransfer({"small": "conv"}, **k),
    "similarity": lambda **k: SimilarityPreserving({"small": "conv"}, **k),
}
every_objective = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


def values(seed, shape=(4, 5, 5, 3)):
    return tf.constant(np.random.default_rng(seed).normal(0, 1, shape), tf.float32)


def prepared(make, shape=(4, 5, 5, 3)):
    objective = make()
    place = Place("here", (None, *shape[1:]), "linear")
    objective.prepare("pair", place, place)
    return objective


@every_objective
def test_what_the_constructor_took_survives_serialization(make):
    objective = make(weight=0.25, teacher=1, name="mine")
    config = keras.saving.serialize_keras_object(objective)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(objective)
    assert again.get_config() == objective.get_config()
    assert (again.weight, again.teacher, again.name) == (0.25, 1, "mine")


@every_objective
def test_a_student_equal_to_its_teacher_has_nothing_to_learn(make):
    objective = prepared(make)
    same, other = values(0), values(1)
    assert np.max(np.abs(objective.compare(same, same, "pair"))) < 1e-5
    assert np.min(objective.compare(same, other, "pair")) > 1e-5


@every_objective
def test_each_sample_has_its_loss(make):
    loss = prepared(make).compare(values(0), values(1), "pair")
    assert loss.shape[0] == 4
    assert "float32" in str(loss.dtype)


@every_objective
def test_fitting_lowers_the_objective_and_leaves_the_teacher(make):
    student, teacher = pairs.student_and_teacher()
    before = pairs.weights_of(teacher)
    history = fitted(student, teacher, make(name="goal"), jit_compile=False)
    assert history["goal"][-1] < history["goal"][0]
    for a, b in zip(before, pairs.weights_of(teacher), strict=True):
        np.testing.assert_array_equal(a, b)


def fitted(student, teacher, objectives, **options):
    x, y = pairs.pictures()
    distiller = Distiller(student, teacher, objectives, label_weight=0.01)
    distiller.compile(keras.optimizers.Adam(0.02), pairs.logits_loss(), **options)
    return distiller.fit(x, y, batch_size=32, epochs=3, verbose=0).history


def test_a_jit_compiled_step_learns_the_same_from_all_objectives_at_once():
    objectives = [make(name=f"goal_{i}") for i, make in enumerate(MAKERS.values())]
    again = [type(o).from_config(o.get_config()) for o in objectives]
    plain = fitted(*pairs.student_and_teacher(), objectives, jit_compile=False)
    jit = fitted(*pairs.student_and_teacher(), again, jit_compile=True)
    assert set(plain) == {"loss", "label_loss", *(o.name for o in objectives)}
    for name, losses in plain.items():
        np.testing.assert_allclose(jit[name], losses, rtol=1e-2)


def test_an_objective_of_ones_own_needs_only_a_comparison():
    class Doubled(Objective):
        def compare(self, student, teacher, key, mask=None):
            return keras.ops.mean(keras.ops.abs(student - 2 * teacher), axis=-1)

    student, teacher = pairs.student_and_teacher()
    x, _ = pairs.pictures(8)
    distiller = Distiller(student, teacher, Doubled(weight=3.0), label_weight=0.0)
    distiller.compile(jit_compile=False)
    found = distiller.evaluate(x, verbose=0, return_dict=True)
    wanted = np.abs(student.predict(x, verbose=0) - 2 * teacher.predict(x, verbose=0)).mean()
    assert found["doubled"] == pytest.approx(wanted, rel=1e-5)
    assert found["loss"] == pytest.approx(3 * wanted, rel=1e-5)


def test_bad_choices_are_refused():
    with pytest.raises(ValueError, match=r"weight must not be negative. Received: weight=-1"):
        SoftTargets(weight=-1)
    with pytest.raises(ValueError, match=r"FeatureMatching needs layers to compare. Received: pairs=None"):
        FeatureMatching()
    with pytest.raises(TypeError, match="abstract class Objective .*compare"):
        Objective()


def test_layers_are_named_by_themselves_too():
    student, teacher = pairs.student_and_teacher()
    layers = {student.get_layer("conv"): teacher.get_layer("small")}
    assert AttentionTransfer(layers).pairs == {"conv": "small"}
