import ai_edge_litert.schema_py_generated as oracle
import numpy as np
import pytest

from tests.tflite_export.small_models import dense_model, pack
from tflite_export import tflm
from tflite_export.errors import ModelError


def expected(x):
    """`dense_model` by hand: scales 0.5, (0.25, 0.125) and 1, input zero point 3, output zero point -128."""
    real = ((x - 3) @ np.arange(6).reshape(2, 3).T + [-5, 7]) * [0.125, 0.0625]
    return np.clip(np.maximum(np.round(real), 0) - 128, -128, 127)


def test_outputs_are_the_arithmetic_of_the_file():
    x = np.array([[[9, -20, 30]], [[100, 0, 3]]], np.int8)
    (y,) = tflm.run(pack(dense_model()), x)
    assert y.shape == (2, 1, 2)
    assert y.dtype == np.int8
    np.testing.assert_array_equal(y, expected(x))
    (first,) = tflm.Interpreter(pack(dense_model())).invoke(x[0])
    np.testing.assert_array_equal(first, y[0])


def test_leading_one_of_the_input_may_count_samples():
    x = np.array([[9, -20, 30], [100, 0, 3], [5, 5, 5]], np.int8)
    (y,) = tflm.run(pack(dense_model()), x)
    np.testing.assert_array_equal(y[:, 0], expected(x))


def test_required_arena_is_the_smallest_that_starts():
    content = pack(dense_model())
    arena = tflm.measure_arena(content)
    assert arena.total_bytes == arena.head_bytes + arena.tail_bytes
    assert arena.required_bytes >= arena.total_bytes
    x = np.zeros((1, 3), np.int8)
    tflm.Interpreter(content, arena.required_bytes).invoke(x)
    with pytest.raises(ModelError, match="TFLM refused the model: Failed"):
        tflm.Interpreter(content, arena.total_bytes // 2)


def test_both_ways_of_measuring_agree():
    content = pack(dense_model())
    here, apart = tflm.Interpreter(content).arena(), tflm.measure_arena(content)
    assert (here.head_bytes, here.tail_bytes) == (apart.head_bytes, apart.tail_bytes)


def test_refusal_holds_what_tflm_said():
    model = dense_model()
    model.subgraphs[0].tensors[1].type = oracle.TensorType.INT16
    model.buffers[1].data = np.zeros(12, np.uint8)
    with pytest.raises(ModelError, match=r"FULLY_CONNECTED.*failed to prepare"):
        tflm.measure_arena(pack(model))
    with pytest.raises(ModelError, match=r"FULLY_CONNECTED.*failed to prepare"):
        tflm.Interpreter(pack(model))


def test_crash_is_an_error_and_not_the_end():
    model = dense_model()
    model.subgraphs[0].tensors[3].shape = [1, 50_000_000]  # far more than there are weights
    with pytest.raises(ModelError, match=r"TFLM crashed on the model \(SIG"):
        tflm.run(pack(model), np.zeros((1, 1, 3), np.int8))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 3), np.float32), "takes int8 of shape .* Received: float32"),
        (np.zeros((2, 4), np.int8), r"takes int8 of shape \(1, 3\)"),
        ([np.zeros((2, 3), np.int8)] * 2, "the model has 1 inputs. Received: 2"),
        (np.zeros((0, 3), np.int8), "at least one sample"),
    ],
)
def test_wrong_samples_are_refused(samples, message):
    with pytest.raises(ModelError, match=message):
        tflm.run(pack(dense_model()), samples)
