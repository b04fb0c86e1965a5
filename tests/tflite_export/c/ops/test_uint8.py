"""Legacy uint8 files, which TensorFlow Lite Micro no longer runs: LiteRT's reference kernels judge them."""

import ai_edge_litert.schema_py_generated as schema
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tests.tflite_export.c.judged import describe, random_inputs, run_c
from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import pick, scale


def data(rng, shape, **known):
    return T(shape, "uint8", **{"scale": scale(rng), "zero_point": int(rng.integers(256)), **known})


def conv_2d(rng):
    groups, depth, units = 1, int(rng.integers(1, 6)), int(rng.integers(1, 6))
    source = data(rng, (1, 6, 7, depth * groups))
    kernel = data(
        rng,
        (units, 3, 2, depth),
        data=rng.integers(0, 256, (units, 3, 2, depth)),
        scale=scale(rng, 0.002, 0.02),
    )
    offset = T((units,), "int32", source.scale * kernel.scale, 0, rng.integers(-2000, 2000, units))
    target = data(rng, (1, 3, 4, units), scale=source.scale * kernel.scale * 120 * depth**0.5 * 3)
    return single("CONV_2D", [source, kernel, offset], [target], "Conv2DOptions", padding=schema.Padding.SAME,
                  strideH=2, strideW=2, dilationHFactor=1, dilationWFactor=1,
                  fusedActivationFunction=pick(rng, 0, 1, 3))  # fmt: skip


def depthwise_conv_2d(rng):
    depth, multiplier = int(rng.integers(1, 6)), pick(rng, 1, 2)
    units = depth * multiplier
    source = data(rng, (1, 6, 7, depth))
    kernel = data(
        rng, (1, 3, 3, units), data=rng.integers(0, 256, (1, 3, 3, units)), scale=scale(rng, 0.002, 0.02)
    )
    offset = T((units,), "int32", source.scale * kernel.scale, 0, rng.integers(-2000, 2000, units))
    target = data(rng, (1, 4, 5, units), scale=source.scale * kernel.scale * 300)
    return single("DEPTHWISE_CONV_2D", [source, kernel, offset], [target], "DepthwiseConv2DOptions",
                  padding=schema.Padding.VALID, strideH=1, strideW=1, depthMultiplier=multiplier,
                  dilationHFactor=1, dilationWFactor=1,
                  fusedActivationFunction=pick(rng, 0, 1, 3))  # fmt: skip


def pool_2d(rng):
    source = data(rng, (1, 5, 6, 3))
    target = T((1, 3, 3, 3), "uint8", source.scale, source.zero_point)
    return single(pick(rng, "AVERAGE_POOL_2D", "MAX_POOL_2D"), [source], [target], "Pool2DOptions",
                  padding=schema.Padding.SAME, strideH=2, strideW=2, filterHeight=3, filterWidth=2,
                  fusedActivationFunction=pick(rng, 0, 1, 3))  # fmt: skip


def softmax(rng):
    return single(
        "SOFTMAX", [data(rng, (2, 9))], [T((2, 9), "uint8", 1 / 256, 0)], "SoftmaxOptions", beta=1.0
    )


def lite_rt(content, sample):
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), sample, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]).copy() for d in interpreter.get_output_details()]


@pytest.mark.parametrize("make", [conv_2d, depthwise_conv_2d, pool_2d, softmax], ids=lambda f: f.__name__)
def test_equals_lite_rt(make):
    rng = np.random.default_rng(0)
    models = [make(rng) for _ in range(8)]
    samples = [random_inputs(content, rng, 3) for content in models]
    for content, rows, answers in zip(models, samples, run_c(models, samples), strict=True):
        for row, mine in zip(rows, answers, strict=True):
            for a, b in zip(mine, lite_rt(content, row), strict=True):
                np.testing.assert_array_equal(a, b, describe(content))
