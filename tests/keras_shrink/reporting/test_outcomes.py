import numpy as np
import pytest

from keras_shrink.reporting.outcomes import Confusion, Errors, outcomes

SCORES = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9]])


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1, 2, 2]),
        np.array([[0], [1], [2], [2]]),
        np.array([0.0, 1.0, 2.0, 2.0]),
        np.eye(3)[[0, 1, 2, 2]],
    ],
    ids=["numbers", "column", "floats", "one-hot"],
)
def test_counts_have_a_row_for_each_true_class(labels):
    (found,) = outcomes(["y"], labels, [SCORES], [SCORES[::-1]])
    assert found.before.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert found.after.tolist() == [[0, 0, 1], [0, 1, 0], [1, 1, 0]]
    assert found.accuracy == (0.75, 0.25)
    assert found.recall[0].tolist() == [1, 1, 0.5]


def test_one_score_is_that_of_class_1():
    (found,) = outcomes(["y"], np.array([0, 1, 1]), [np.array([[0.2], [0.4], [0.6]])], [np.ones((3, 1))])
    assert found.before.tolist() == [[1, 0], [1, 1]]
    assert found.after.tolist() == [[0, 1], [0, 2]]


def test_every_step_of_a_sequence_counts():
    scores = np.eye(2)[np.array([[0, 1, 1], [1, 1, 0]])]
    (found,) = outcomes(["y"], np.array([[0, 1, 0], [1, 1, 0]]), [scores], [scores])
    assert found.before.tolist() == [[2, 1], [0, 3]]


def test_numbers_have_errors():
    truth = np.array([0.0, 1.0, 2.5])
    (found,) = outcomes(["y"], truth, [truth[:, None]], [truth[:, None] + [[0.5], [-0.5], [0.5]]])
    assert isinstance(found, Errors)
    assert found.mean_absolute == (0, 0.5)
    assert found.root_mean_square == (0, 0.5)
    assert found.explained[0] == 1
    assert found.explained[1] == pytest.approx(1 - 0.25 / np.var(truth))
    assert found.sample.shape == (3, 3)


def test_outputs_may_be_named_and_left_out():
    found = outcomes(["a", "b"], {"b": np.array([0, 1, 2, 2])}, [SCORES, SCORES], [SCORES, SCORES])
    assert [one.output for one in found] == ["b"]


def test_classes_without_samples_and_what_changed():
    before, after = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 4]]), np.array([[2, 2, 0], [0, 0, 0], [3, 0, 1]])
    found = Confusion("y", ("a", "b", "c"), before, after)
    assert np.isnan(found.recall[0][1])
    assert found.most_changed() == [2, 0]
    assert found.mistakes() == [(2, 0, 0, 3), (0, 1, 1, 2)]


@pytest.mark.parametrize(
    ("names", "labels", "message"),
    [
        ("y", np.array([0, 1, 3, 0]), "from 0 to 2. Received: 0 to 3"),
        (
            "y",
            np.array([0.5, 1.0]),
            r"class numbers, one-hot rows, or numbers.*Received: labels of shape \(2,\)",
        ),
        ("ab", np.array([0, 1, 2, 2]), "2 outputs: pass as many arrays .*Received: ndarray"),
        ("ab", {"c": np.array([0])}, "named as the outputs: a, b. Received: c"),
    ],
)
def test_labels_that_do_not_belong_are_refused(names, labels, message):
    with pytest.raises(ValueError, match=message):
        outcomes(list(names), labels, [SCORES] * len(names), [SCORES] * len(names))


def test_names_of_classes_must_be_as_many():
    with pytest.raises(ValueError, match="must name the 3 classes of 'y'. Received: 2 names"):
        outcomes(["y"], np.array([0, 1, 2, 2]), [SCORES], [SCORES], ("cat", "dog"))


def test_models_with_other_outputs_are_refused():
    with pytest.raises(ValueError, match=r"same outputs. Received: 'y' of shape \(4, 2\) before"):
        outcomes(["y"], np.array([0, 1, 2, 2]), [SCORES[:, :2]], [SCORES])
