from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import activation, equals_tflm, pick, scale


def lstm(rng):
    dtype = pick(rng, "int8", "int8", "int16")
    depth, units, steps, batches = (int(v) for v in rng.integers((1, 1, 1, 1), (9, 9, 7, 3)))
    time_major = bool(rng.integers(2))
    source = activation(rng, dtype, shape=(steps, batches, depth) if time_major else (batches, steps, depth),
                        scale=0.02 if dtype == "int8" else 1e-4)  # fmt: skip
    hidden_zero = int(rng.integers(-20, 20)) if dtype == "int8" else 0
    hidden = T((batches, units), dtype, 1 / 128 if dtype == "int8" else 2**-15, hidden_zero, variable=True)
    cell = T((batches, units), "int16", 2.0 ** -int(rng.integers(9, 14)), 0, variable=True)

    def kernel(columns):
        return T(
            (units, columns), "int8", scale(rng, 0.004, 0.02), 0, rng.integers(-127, 128, (units, columns))
        )

    def offset():
        sums = "int32" if dtype == "int8" else "int64"
        return T((units,), sums, 1e-3, 0, rng.integers(-3000, 3000, units))

    inputs = [
        source,
        *(kernel(depth) for _ in range(4)),
        *(kernel(units) for _ in range(4)),
        None,
        None,
        None,
    ]
    inputs += [*(offset() for _ in range(4)), None, None, hidden, cell, None, None, None, None]
    shape = (*source.shape[:2], units)
    return single(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        inputs,
        [T(shape, dtype, hidden.scale, hidden_zero)],
        "UnidirectionalSequenceLSTMOptions",
        fusedActivationFunction=4,
        cellClip=pick(rng, 0.0, 0.0, 1.5),
        projClip=0.0,
        timeMajor=time_major,
    )


test_streams_like_tflm = equals_tflm(lstm, models=8, count=6, reset=False)
test_restarts_like_tflm = equals_tflm(lstm, models=4, count=3, examples=1)
