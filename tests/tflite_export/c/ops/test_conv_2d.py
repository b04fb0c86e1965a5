import ai_edge_litert.schema_py_generated as schema
import numpy as np

from tests.tflite_export.c.models import single
from tests.tflite_export.c.properties import (
    accumulated,
    activation,
    bias,
    equals_tflm,
    pick,
    weights,
    window_output,
)


def conv_2d(rng, *, pointwise=False, dtype="int8", weight_dtype="int8"):
    filter_size = (1, 1) if pointwise else tuple(int(v) for v in rng.integers(1, 5, 2))
    stride = tuple(int(v) for v in rng.integers(1, 4, 2))
    dilation = (1, 1) if pointwise else pick(rng, (1, 1), (1, 1), (2, 1), (2, 3))
    padding = pick(rng, "SAME", "VALID")
    extent = [(f - 1) * d + 1 for f, d in zip(filter_size, dilation, strict=True)]
    size = [int(rng.integers(e, e + 9)) for e in extent]
    groups = pick(rng, 1, 1, 1, 2)
    depth, units = int(rng.integers(1, 10)), int(rng.integers(1, 10)) * groups
    batches = pick(rng, 1, 1, 2)
    source = activation(rng, dtype, shape=(batches, *size, depth * groups))
    kernel = weights(rng, (units, *filter_size, depth), units, per_channel=pick(rng, True, True, False),
                     dtype=weight_dtype)  # fmt: skip
    out = [window_output(*args, padding) for args in zip(size, filter_size, stride, dilation, strict=True)]
    target = accumulated(rng, source, kernel, (batches, *out, units), depth * np.prod(filter_size), dtype)
    offset = pick(rng, None, bias(rng, source, kernel, units, "int64" if dtype == "int16" else "int32"))
    return single(
        "CONV_2D",
        [source, kernel, offset],
        [target],
        "Conv2DOptions",
        padding=getattr(schema.Padding, padding),
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=pick(rng, 0, 1, 2, 3),
    )


test_equals_tflm = equals_tflm(conv_2d, examples=3)
test_one_by_one_equals_tflm = equals_tflm(lambda rng: conv_2d(rng, pointwise=True), examples=1)
test_int4_weights_equal_tflm = equals_tflm(lambda rng: conv_2d(rng, weight_dtype="int4"), examples=1)
