"""int16 data with int8 weights."""

import numpy as np

from tests.tflite_export.c.judged import run_c
from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.ops.test_conv_2d import conv_2d
from tests.tflite_export.c.ops.test_depthwise_conv_2d import depthwise_conv_2d
from tests.tflite_export.c.ops.test_fully_connected import fully_connected
from tests.tflite_export.c.ops.test_pool_2d import pool_2d
from tests.tflite_export.c.properties import activation, equals_tflm, pick, scale
from tests.tflite_export.c.tflm_batch import run_tflm_batch


def any_of(rng):
    make = pick(rng, conv_2d, depthwise_conv_2d, fully_connected, pool_2d)
    return make(rng, dtype="int16")


def softmax(rng):
    shape = pick(rng, (1, 10), (3, 2), (2, 3, 5), (1, 40))
    source = activation(rng, "int16", shape=shape, scale=scale(rng, 1e-5, 1e-2))
    return single(
        "SOFTMAX", [source], [T(shape, "int16", 1 / 32768, 0)], "SoftmaxOptions", beta=pick(rng, 1.0, 0.5)
    )


def softmax_from_int8(rng):
    shape = pick(rng, (1, 10), (3, 2), (2, 3, 5), (1, 40))
    source = activation(rng, shape=shape, scale=scale(rng, 0.01, 0.5))
    return single("SOFTMAX", [source], [T(shape, "int16", 1 / 65536, -32768)], "SoftmaxOptions", beta=1.0)


test_equals_tflm = equals_tflm(any_of, models=20)
test_softmax_equals_tflm = equals_tflm(softmax, models=10, count=20, examples=1)
test_softmax_from_int8_equals_tflm = equals_tflm(softmax_from_int8, models=6, count=20, examples=1)


def test_softmax_reads_the_tables_that_tflm_makes_in_float32():
    model = single(
        "SOFTMAX",
        [T((1, 3), "int16", 10 / 65535, 0)],
        [T((1, 3), "int16", 1 / 32768, 0)],
        "SoftmaxOptions",
        beta=1.0,
    )
    places = [[5186, 289, -9826], [788, 22322, 30191], [24348, 31971, -13463], [2753, 21090, 16711]]
    samples = [[np.array([place], np.int16)] for place in places]
    (judged,) = run_tflm_batch([(model, samples)])
    (ours,) = run_c([model], [samples])
    np.testing.assert_array_equal(np.ravel(ours), np.ravel(judged))
