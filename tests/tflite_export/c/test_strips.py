import ai_edge_litert.schema_py_generated as schema
import numpy as np
import pytest

from tests.tflite_export.c.judged import random_inputs, run_c
from tests.tflite_export.c.models import Operator, T, build
from tests.tflite_export.c.tflm_batch import run_tflm_batch
from tflite_export.c.emit import plan_program
from tflite_export.c.write import render_c
from tflite_export.read import read


def network(rng):
    """Four operators that widen a small image and shrink it again, then a mean."""
    q = {"scale": 0.1, "zero_point": -3}
    kernel = lambda *shape: T(shape, "int8", 0.02, 0, rng.integers(-127, 128, shape))  # noqa: E731
    bias = lambda n: T((n,), "int32", 0.002, 0, rng.integers(-500, 500, n))  # noqa: E731
    tensors = [
        T((1, 23, 20, 4), "int8", **q),
        kernel(16, 3, 3, 4), bias(16), T((1, 23, 20, 16), "int8", **q),
        kernel(1, 3, 3, 16), bias(16), T((1, 12, 10, 16), "int8", **q),
        kernel(8, 1, 1, 16), bias(8), T((1, 12, 10, 8), "int8", **q),
        T((1, 6, 5, 8), "int8", **q),
        T((2,), "int32", data=[1, 2]), T((1, 8), "int8", **q),
    ]  # fmt: skip
    same = {"padding": schema.Padding.SAME}
    depthwise, window = {"depthMultiplier": 1}, {"filterHeight": 3, "filterWidth": 2}
    one, two = {"strideH": 1, "strideW": 1}, {"strideH": 2, "strideW": 2}
    operators = [
        Operator("CONV_2D", (0, 1, 2), (3,), "Conv2DOptions", same | one),
        Operator(
            "DEPTHWISE_CONV_2D",
            (3, 4, 5),
            (6,),
            "DepthwiseConv2DOptions",
            same | two | depthwise,
        ),
        Operator("CONV_2D", (6, 7, 8), (9,), "Conv2DOptions", same | one),
        Operator("MAX_POOL_2D", (9,), (10,), "Pool2DOptions", same | two | window),
        Operator("MEAN", (10, 11), (12,), "ReducerOptions"),
    ]
    return build(tensors, operators, (0,), (12,))


@pytest.mark.parametrize("strips", [2, 3, 6])
def test_strips_take_less_memory_and_give_the_same_bits(strips):
    rng = np.random.default_rng(strips)
    content = network(rng)
    whole, program = plan_program(read(content)), plan_program(read(content), strips=strips)
    assert program.strips == strips
    assert program.arena_bytes < whole.arena_bytes
    assert 0 < program.repeated_work < 2
    samples = [random_inputs(content, rng, 4)]
    (judged,) = run_tflm_batch([(content, samples[0])])
    (ours,) = run_c([content], samples, strips=strips)
    for (a,), (b,) in zip(ours, judged, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_header_says_what_strips_cost():
    content = network(np.random.default_rng(0))
    header = render_c(content, "net", self_test=False, strips=3)["net.h"]
    assert "run in 3 strips" in header
    assert "strips" not in render_c(content, "net", self_test=False)["net.h"]


def test_strips_must_be_positive():
    with pytest.raises(ValueError, match="strips must be at least 1. Received: strips=0"):
        plan_program(read(network(np.random.default_rng(0))), strips=0)
