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


def depthwise_conv_2d(rng, *, dtype="int8", weight_dtype="int8"):
    filter_size = tuple(int(v) for v in rng.integers(1, 5, 2))
    stride = pick(rng, (1, 1), (2, 2), (2, 1), (1, 3))
    dilation = pick(rng, (1, 1), (1, 1), (2, 2)) if stride == (1, 1) else (1, 1)
    padding = pick(rng, "SAME", "VALID")
    size = [int(rng.integers((f - 1) * d + 1, f * d + 8)) for f, d in zip(filter_size, dilation, strict=True)]
    depth, multiplier = int(rng.integers(1, 18)), pick(rng, 1, 1, 2, 3)
    units, batches = depth * multiplier, pick(rng, 1, 1, 2)
    source = activation(rng, dtype, shape=(batches, *size, depth))
    kernel = weights(rng, (1, *filter_size, units), units, axis=3, per_channel=pick(rng, True, False),
                     dtype=weight_dtype)  # fmt: skip
    out = [window_output(*args, padding) for args in zip(size, filter_size, stride, dilation, strict=True)]
    target = accumulated(rng, source, kernel, (batches, *out, units), np.prod(filter_size), dtype)
    # TensorFlow Lite Micro ends its process on a depthwise convolution without a bias.
    offset = bias(rng, source, kernel, units, "int64" if dtype == "int16" else "int32")
    return single(
        "DEPTHWISE_CONV_2D",
        [source, kernel, offset],
        [target],
        "DepthwiseConv2DOptions",
        padding=getattr(schema.Padding, padding),
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        depthMultiplier=multiplier,
        fusedActivationFunction=pick(rng, 0, 1, 2, 3),
    )


test_equals_tflm = equals_tflm(depthwise_conv_2d, examples=3)
test_int4_weights_equal_tflm = equals_tflm(
    lambda rng: depthwise_conv_2d(rng, weight_dtype="int4"), examples=1
)
