from tests.tflite_export.c.models import single
from tests.tflite_export.c.properties import accumulated, activation, bias, equals_tflm, pick, weights


def fully_connected(rng, *, dtype="int8", weight_dtype="int8"):
    depth, units, rows = int(rng.integers(1, 50)), int(rng.integers(1, 20)), pick(rng, 1, 1, 3)
    source = activation(rng, dtype, shape=(rows, depth))
    per_channel = weight_dtype != "int4" and pick(rng, True, False)
    kernel = weights(rng, (units, depth), units, per_channel=per_channel, dtype=weight_dtype)
    target = accumulated(rng, source, kernel, (rows, units), depth, dtype)
    offset = pick(rng, None, bias(rng, source, kernel, units, "int64" if dtype == "int16" else "int32"))
    return single(
        "FULLY_CONNECTED",
        [source, kernel, offset],
        [target],
        "FullyConnectedOptions",
        fusedActivationFunction=pick(rng, 0, 1, 2, 3),
    )


test_equals_tflm = equals_tflm(fully_connected, models=12)
test_int4_weights_equal_tflm = equals_tflm(lambda rng: fully_connected(rng, weight_dtype="int4"), examples=1)
