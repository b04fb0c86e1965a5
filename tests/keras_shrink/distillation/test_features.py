import keras
import numpy as np
import pytest

from keras_shrink import Distiller
from keras_shrink.distillation import AttentionTransfer, FeatureMatching, SimilarityPreserving
from keras_shrink.distillation.places import Place
from tests.keras_shrink.distillation import pairs


def features(seed, shape):
    return np.random.default_rng(seed).normal(0, 1, shape).astype("float32")


def place(shape):
    return Place("layer/x", (None, *shape[1:]))


def loss_of(objective, student, teacher, mask=None):
    objective.prepare("key", place(student.shape), place(teacher.shape))
    return np.asarray(objective.compare(keras.ops.array(student), keras.ops.array(teacher), "key", mask=mask))


def test_features_of_equal_width_are_compared_as_they_are():
    student, teacher = features(0, (2, 4, 4, 3)), features(1, (2, 4, 4, 3))
    objective = FeatureMatching({"a": "b"})
    found = loss_of(objective, student, teacher)
    np.testing.assert_allclose(found, ((student - teacher) ** 2).mean(-1), rtol=1e-5)
    assert objective.weights == []


def test_features_of_other_width_are_projected_and_the_projection_is_trained_and_saved(tmp_path):
    student, teacher = pairs.student_and_teacher()
    x, y = pairs.pictures()
    distiller = Distiller(student, teacher, FeatureMatching({"conv": "conv"}), label_weight=0.5)
    (projection,) = distiller.objectives[0].trainable_variables
    assert tuple(projection.shape) == (3, 5)
    before = projection.numpy()
    distiller.compile("adam", pairs.logits_loss(), jit_compile=False)
    distiller.fit(x, y, verbose=0)
    assert np.abs(projection.numpy() - before).max() > 0
    assert id(projection) not in {id(weight) for weight in student.weights}
    distiller.save(tmp_path / "distiller.keras")
    again = keras.saving.load_model(tmp_path / "distiller.keras")
    np.testing.assert_array_equal(again.objectives[0].trainable_variables[0], projection)


def test_attention_is_where_the_squares_are():
    student, teacher = features(0, (2, 4, 4, 3)), features(1, (2, 4, 4, 6))

    def attention(values):
        rows = (values**2).sum(-1).reshape(len(values), -1)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    wanted = ((attention(student) - attention(teacher)) ** 2).sum(1)
    found = loss_of(AttentionTransfer({"a": "b"}), student, teacher)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_attention_of_another_size_is_resized():
    spread = np.repeat(np.repeat(features(0, (2, 3, 3, 2)), 2, axis=1), 2, axis=2)
    found = loss_of(AttentionTransfer({"a": "b"}), spread[:, ::2, ::2], spread)
    assert found.max() < 0.05


def test_similarity_compares_samples_whatever_the_width():
    student, teacher = features(0, (4, 3, 3, 2)), features(1, (4, 7))

    def similarity(values):
        rows = values.reshape(len(values), -1)
        found = rows @ rows.T
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    wanted = ((similarity(student) - similarity(teacher)) ** 2).sum() / 16
    found = loss_of(SimilarityPreserving({"a": "b"}), student, teacher)
    assert found.mean() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("kind", [AttentionTransfer, SimilarityPreserving])
def test_padding_of_a_sequence_changes_nothing(kind):
    student, teacher = features(0, (3, 5, 2)), features(1, (3, 5, 4))
    mask = keras.ops.array(np.arange(5) < 3)[None] & keras.ops.ones((3, 1), "bool")
    found = loss_of(kind({"a": "b"}), student, teacher, mask)
    student[:, 3:], teacher[:, 3:] = 9.0, -7.0
    np.testing.assert_allclose(loss_of(kind({"a": "b"}), student, teacher, mask), found, rtol=1e-5)
    assert np.abs(loss_of(kind({"a": "b"}), student, teacher) - found).max() > 1e-3


def test_what_cannot_be_compared_is_refused():
    big, small, flat = place((1, 4, 4, 3)), place((1, 2, 2, 3)), place((1, 3))
    with pytest.raises(ValueError, match="same positions.*AttentionTransfer or SimilarityPreserving"):
        FeatureMatching({"a": "b"}).prepare("key", big, small)
    with pytest.raises(ValueError, match="same positions"):
        FeatureMatching({"a": "b"}).prepare("key", big, flat)
    with pytest.raises(ValueError, match="Attention maps need outputs of rank 3"):
        AttentionTransfer({"a": "b"}).prepare("key", flat, flat)
