import numpy as np
import pytest

from tests.tflite_export.c.judged import run_c
from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import activation, equals_tflm, pick
from tests.tflite_export.c.tflm_batch import run_tflm_batch
from tflite_export.c.emit import plan_program
from tflite_export.read import read

SHAPES = ((1, 10), (3, 2), (2, 3, 5), (1, 40), (1, 1), (7, 10))


def softmax(rng):
    shape = pick(rng, *SHAPES)
    source = activation(rng, shape=shape, scale=pick(rng, 0.005, 0.03, 0.3, 1.7) * rng.uniform(0.7, 1.4))
    return single(
        "SOFTMAX", [source], [T(shape, "int8", 1 / 256, -128)], "SoftmaxOptions", beta=pick(rng, 1.0, 0.5)
    )


def test_exponentials_of_few_values_are_computed_where_that_takes_less_flash():
    kernels = {
        (values, scale): plan_program(read(few_values(values, scale))).kernels
        for values, scale in ((64, 0.1), (65, 0.1), (64, 0.4))
    }
    assert kernels == {
        (64, 0.1): ("softmax_tableless_int8",),
        (65, 0.1): ("softmax_int8",),
        (64, 0.4): ("softmax_int8",),
    }


@pytest.mark.parametrize("scale", [0.0039, 0.12, 0.2401])
def test_computed_exponentials_are_those_of_the_table(scale):
    """Every distance from the maximum that counts, each in a row of its own."""
    content = few_values(2, scale)
    distances = np.arange(256)
    samples = [[np.array([[127, 127 - distance]], "int8")] for distance in distances]
    (judged,), (ours,) = run_tflm_batch([(content, samples)]), run_c([content], [samples])
    np.testing.assert_equal(ours, judged)


def few_values(count, scale):
    source = T((1, count), "int8", scale, 0)
    return single("SOFTMAX", [source], [T((1, count), "int8", 1 / 256, -128)], "SoftmaxOptions", beta=1.0)


def log_softmax(rng):
    shape = pick(rng, *SHAPES)
    source = activation(rng, shape=shape, scale=pick(rng, 0.005, 0.03, 0.3, 1.7) * rng.uniform(0.7, 1.4))
    return single("LOG_SOFTMAX", [source], [T(shape, "int8", 1 / 16, 127)], "LogSoftmaxOptions")


def l2_normalization(rng):
    shape = pick(rng, *SHAPES)
    return single(
        "L2_NORMALIZATION", [activation(rng, shape=shape)], [T(shape, "int8", 1 / 128, 0)], "L2NormOptions"
    )


test_softmax_equals_tflm = equals_tflm(softmax, models=12, count=12)
test_log_softmax_equals_tflm = equals_tflm(log_softmax, models=12, count=12)
test_l2_normalization_equals_tflm = equals_tflm(l2_normalization, models=12, count=12, examples=1)
