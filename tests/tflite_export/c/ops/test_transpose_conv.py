import ai_edge_litert.schema_py_generated as schema
import numpy as np

from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import accumulated, activation, bias, equals_tflm, pick, weights


def transpose_conv(rng):
    dtype = pick(rng, "int8", "int8", "int16")
    filter_size, stride = [int(v) for v in rng.integers(1, 5, 2)], [int(v) for v in rng.integers(1, 4, 2)]
    size, padding = [int(v) for v in rng.integers(1, 6, 2)], pick(rng, "SAME", "VALID")
    depth, units = (int(v) for v in rng.integers(1, 6, 2))
    out = [
        n * s if padding == "SAME" else (n - 1) * s + f
        for n, s, f in zip(size, stride, filter_size, strict=True)
    ]
    source = activation(rng, dtype, shape=(1, *size, depth))
    kernel = weights(rng, (units, *filter_size, depth), units, per_channel=pick(rng, True, False))
    shape = (1, *out, units)
    target = accumulated(
        rng, source, kernel, shape, depth * max(1, np.prod(filter_size) // np.prod(stride)), dtype
    )
    inputs = [T((4,), "int32", data=shape), kernel, source]
    if rng.random() < 0.6:
        inputs.append(bias(rng, source, kernel, units, "int64" if dtype == "int16" else "int32"))
    return single(
        "TRANSPOSE_CONV",
        inputs,
        [target],
        "TransposeConvOptions",
        padding=getattr(schema.Padding, padding),
        strideH=stride[0],
        strideW=stride[1],
        fusedActivationFunction=pick(rng, 0, 1, 3),
    )


test_equals_tflm = equals_tflm(transpose_conv, models=14)
