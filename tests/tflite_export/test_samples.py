import numpy as np
import pytest

from tflite_export.samples import InputSpec, batches

ONE = [InputSpec("x", (None, 2), "float32")]
TWO = [*ONE, InputSpec("y", (None, 3), "int32")]


def shapes(specs, data, size=4):
    return [[part.shape for part in batch] for batch in batches(specs, data, size)]


@pytest.mark.parametrize(
    ("specs", "data", "expected"),
    [
        (ONE, np.zeros((6, 2)), [[(4, 2)], [(2, 2)]]),
        (ONE, [np.zeros((3, 2)), np.zeros((1, 2))], [[(3, 2)], [(1, 2)]]),
        (ONE, (np.zeros((1, 2)) for _ in range(2)), [[(1, 2)], [(1, 2)]]),
        (TWO, [np.zeros((5, 2)), np.zeros((5, 3))], [[(4, 2), (4, 3)], [(1, 2), (1, 3)]]),
        (TWO, {"y": np.zeros((2, 3)), "x": np.zeros((2, 2))}, [[(2, 2), (2, 3)]]),
        (TWO, [(np.zeros((2, 2)), np.zeros((2, 3)))], [[(2, 2), (2, 3)]]),
    ],
)
def test_arrays_and_batches_of_every_form_are_taken(specs, data, expected):
    assert shapes(specs, data) == expected


def test_values_are_cast_to_the_inputs_type():
    ((x, y),) = batches(TWO, [np.zeros((1, 2), "float64"), np.zeros((1, 3), "uint8")], 4)
    assert (x.dtype, y.dtype) == ("float32", "int32")


@pytest.mark.parametrize(
    ("specs", "data", "message"),
    [
        (ONE, np.zeros((0, 2)), "holds no samples"),
        (ONE, iter([]), "holds no samples"),
        (ONE, np.zeros((4, 3)), r"shape \(None, 2\) for input 'x'. Received: shape=\(4, 3\)"),
        (ONE, np.zeros(2), r"Received: shape=\(2,\)"),
        (ONE, np.array([[1, np.inf]]), "1 NaN or infinite"),
        (ONE, np.array([["a", "b"]]), "must be numeric"),
        (ONE, 3, "Received: int"),
        (ONE, "file.npy", "Received: str"),
        (TWO, [np.zeros((1, 2))], r"one array for each of the 2 input\(s\)"),
        (TWO, {"x": np.zeros((1, 2))}, r"lacks the input\(s\) \['y'\]"),
        (TWO, [np.zeros((1, 2)), np.zeros((2, 3))], r"as many samples for each input. Received: \[1, 2\]"),
    ],
)
def test_what_does_not_fit_is_refused(specs, data, message):
    with pytest.raises(ValueError, match=message):
        list(batches(specs, data, 4))


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="batch_size must be at least 1. Received: batch_size=0"):
        list(batches(ONE, np.zeros((1, 2)), 0))
