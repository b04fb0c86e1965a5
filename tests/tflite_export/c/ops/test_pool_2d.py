import ai_edge_litert.schema_py_generated as schema

from tests.tflite_export.c.models import single
from tests.tflite_export.c.properties import activation, equals_tflm, pick, window_output


def pool_2d(rng, dtype="int8"):
    filter_size = tuple(int(v) for v in rng.integers(1, 6, 2))
    stride = tuple(int(v) for v in rng.integers(1, 4, 2))
    padding = pick(rng, "SAME", "VALID")
    size = [int(rng.integers(f, f + 7)) for f in filter_size]
    depth, batches = int(rng.integers(1, 9)), pick(rng, 1, 2)
    source = activation(rng, dtype, shape=(batches, *size, depth))
    out = [window_output(n, f, s, 1, padding) for n, f, s in zip(size, filter_size, stride, strict=True)]
    target = activation(
        rng, dtype, shape=(batches, *out, depth), scale=source.scale, zero_point=source.zero_point
    )
    return single(
        pick(rng, "AVERAGE_POOL_2D", "MAX_POOL_2D"),
        [source],
        [target],
        "Pool2DOptions",
        padding=getattr(schema.Padding, padding),
        strideH=stride[0],
        strideW=stride[1],
        filterHeight=filter_size[0],
        filterWidth=filter_size[1],
        fusedActivationFunction=pick(rng, 0, 1, 2, 3),
    )


test_equals_tflm = equals_tflm(pool_2d, models=12)
