from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import activation, equals_tflm, pick


def softmax(rng):
    shape = pick(rng, (1, 10), (3, 2), (2, 3, 5), (1, 40), (1, 1))
    source = activation(rng, shape=shape, scale=pick(rng, 0.005, 0.03, 0.3, 1.7) * rng.uniform(0.7, 1.4))
    return single(
        "SOFTMAX", [source], [T(shape, "int8", 1 / 256, -128)], "SoftmaxOptions", beta=pick(rng, 1.0, 0.5)
    )


test_equals_tflm = equals_tflm(softmax, models=12)
