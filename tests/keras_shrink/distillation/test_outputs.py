import keras
import numpy as np
import pytest

from keras_shrink.distillation import OutputMatching, SoftTargets
from keras_shrink.distillation.places import Place
from tests.keras_shrink.distillation import pairs


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def logits(seed, count=6):
    return np.random.default_rng(seed).normal(0, 2, (count, 4)).astype("float32")


def loss_of(objective, student, teacher, activations=("linear", "linear")):
    places = [Place("output/0", (None, 4), activation) for activation in activations]
    objective.prepare("key", *places)
    return np.asarray(objective.compare(keras.ops.array(student), keras.ops.array(teacher), "key"))


def test_soft_targets_are_the_divergence_times_the_squared_temperature():
    student, teacher = logits(0), logits(1)
    p, q = softmax(teacher / 3.0), softmax(student / 3.0)
    wanted = 9.0 * (p * np.log(p / q)).sum(-1)
    np.testing.assert_allclose(loss_of(SoftTargets(3.0), student, teacher), wanted, rtol=1e-4)


def test_independent_classes_are_compared_one_by_one():
    student, teacher = logits(0), logits(1)
    p, q = sigmoid(teacher / 2.0), sigmoid(student / 2.0)
    wanted = 4.0 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean(-1)
    found = loss_of(SoftTargets(2.0, kind="sigmoid"), student, teacher)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize(
    ("function", "name"), [(softmax, "softmax"), (sigmoid, "sigmoid")], ids=["softmax", "sigmoid"]
)
def test_probabilities_and_logits_mean_the_same(function, name):
    student, teacher = logits(0), logits(1)
    wanted = loss_of(SoftTargets(3.0, kind=name), student, teacher)
    for given in ((function(student), function(teacher)), (student, function(teacher))):
        activations = tuple(name if value is not student else "linear" for value in given)
        found = loss_of(SoftTargets(3.0), *given[:1], given[1], activations)
        np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_a_high_temperature_gives_gradients_as_large_as_a_low_one():
    import tensorflow as tf

    sizes = []
    for temperature in (20.0, 40.0):
        objective = SoftTargets(temperature)
        place = Place("output/0", (None, 4), "linear")
        objective.prepare("key", place, place)
        student = tf.Variable(logits(0))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(objective.compare(student, tf.constant(logits(1)), "key"))
        sizes.append(float(tf.norm(tape.gradient(loss, student))))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


@pytest.mark.parametrize("name", OutputMatching.LOSSES)
def test_matching_is_the_loss_of_that_name(name):
    student, teacher = logits(0), logits(1)
    wanted = np.asarray(keras.losses.get(name)(keras.ops.array(teacher), keras.ops.array(student)))
    np.testing.assert_allclose(loss_of(OutputMatching(name), student, teacher), wanted)


def test_bad_choices_are_refused():
    with pytest.raises(ValueError, match=r"temperature must be above 0. Received: temperature=0"):
        SoftTargets(0)
    with pytest.raises(ValueError, match=r"kind must be one of \['auto', .*Received: kind='multi'"):
        SoftTargets(kind="multi")
    with pytest.raises(ValueError, match=r"loss must be one of .*Received: loss='hinge'"):
        OutputMatching("hinge")


def test_outputs_that_cannot_be_compared_are_refused():
    four, five, one = (Place("output/0", (None, n), "linear") for n in (4, 5, 1))
    with pytest.raises(ValueError, match="must have the same classes"):
        SoftTargets().prepare("key", four, five)
    with pytest.raises(ValueError, match="must have the same shape"):
        OutputMatching().prepare("key", four, five)
    with pytest.raises(ValueError, match=r'width 1 has no classes.*kind="sigmoid".*OutputMatching'):
        SoftTargets().prepare("key", one, one)
    with pytest.raises(ValueError, match=r"SoftTargets\(student_logits=True\)"):
        SoftTargets().prepare("key", Place("output/0", (None, 4)), four)


def test_a_model_of_probabilities_learns_from_one_of_logits():
    from keras_shrink import Distiller

    student = pairs.classifier(3, name="student", activation="softmax")
    teacher = pairs.classifier(5, name="teacher", seed=1)
    same = keras.Model(student.input, student.get_layer("scores").output)
    last = same.get_layer("scores")
    x, _ = pairs.pictures(8)
    distiller = Distiller(student, teacher, label_weight=0.0)
    distiller.compile(jit_compile=False)
    found = distiller.evaluate(x, verbose=0)
    last.activation = keras.activations.linear
    distiller = Distiller(same, teacher, label_weight=0.0)
    distiller.compile(jit_compile=False)
    assert distiller.evaluate(x, verbose=0) == pytest.approx(found, rel=1e-3)
