from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import activation, bias, equals_tflm, pick, scale, weights


def svdf(rng):
    depth, rank, units, memory = (int(v) for v in rng.integers((1, 1, 1, 1), (20, 4, 8, 9)))
    filters, state_type = rank * units, pick(rng, "int8", "int16")
    source = activation(rng, shape=(1, depth))
    feature = weights(rng, (filters, depth), filters, per_channel=False)
    reach = source.scale * feature.scale[0] * depth**0.5 * 70
    state_scale = reach / (100 if state_type == "int8" else 20000)
    state = T((1, filters * memory), state_type, state_scale, 0, variable=True)
    times = T(
        (filters, memory), state_type, scale(rng, 0.002, 0.02), 0, rng.integers(-128, 128, (filters, memory))
    )
    offset = bias(rng, state, times, units)
    width = 70 if state_type == "int8" else 14000
    target = activation(
        rng, shape=(1, units), scale=state_scale * times.scale * width * (memory * rank) ** 0.5 * 0.8
    )
    return single(
        "SVDF",
        [source, feature, times, offset, state],
        [target],
        "SVDFOptions",
        rank=rank,
        fusedActivationFunction=1,
    )


test_streams_like_tflm = equals_tflm(svdf, models=10, count=12, reset=False)
test_restarts_like_tflm = equals_tflm(svdf, models=6, count=5, examples=1)
