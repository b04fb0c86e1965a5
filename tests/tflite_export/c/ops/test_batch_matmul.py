from tests.tflite_export.c.models import single
from tests.tflite_export.c.properties import activation, equals_tflm, pick


def batch_matmul(rng):
    dtype = pick(rng, "int8", "int8", "int16")
    rows, depth, columns = (int(v) for v in rng.integers(1, 9, 3))
    left, right = pick(rng, ((), ()), ((2,), (2,)), ((2, 3), (2, 3)), ((1, 3), (2, 3)), ((2, 3), (2, 1)))
    adj_x, adj_y = bool(rng.integers(2)), bool(rng.integers(2))
    first = activation(rng, dtype, shape=(*left, *((depth, rows) if adj_x else (rows, depth))))
    second = activation(rng, dtype, shape=(*right, *((columns, depth) if adj_y else (depth, columns))))
    if rng.random() < 0.3:
        values = rng.integers(-128, 128, second.shape)
        second = activation(rng, dtype, shape=second.shape, data=values)
    batch = tuple(max(a, b) for a, b in zip(left, right, strict=True))
    reach = 60 if dtype == "int8" else 9000
    scale = first.scale * second.scale * depth**0.5 * reach * rng.uniform(0.5, 2.0)
    target = activation(rng, dtype, shape=(*batch, rows, columns), scale=scale)
    return single("BATCH_MATMUL", [first, second], [target], "BatchMatMulOptions", adjX=adj_x, adjY=adj_y)


test_equals_tflm = equals_tflm(batch_matmul, models=16)
