from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import activation, equals_tflm, pick

SHAPES = ((1, 10), (3, 2), (2, 3, 5), (1, 40), (1, 1))


def softmax(rng):
    shape = pick(rng, *SHAPES)
    source = activation(rng, shape=shape, scale=pick(rng, 0.005, 0.03, 0.3, 1.7) * rng.uniform(0.7, 1.4))
    return single(
        "SOFTMAX", [source], [T(shape, "int8", 1 / 256, -128)], "SoftmaxOptions", beta=pick(rng, 1.0, 0.5)
    )


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
