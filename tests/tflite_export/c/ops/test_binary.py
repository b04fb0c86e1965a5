import numpy as np

from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import activation, equals_tflm, pick, scale

SHAPES = (
    ((1, 4, 5, 3), (1, 4, 5, 3)),
    ((7,), (7,)),
    ((2, 3, 4), (4,)),
    ((2, 3, 4, 5), (2, 1, 4, 1)),
    ((1,), (3, 5)),
    ((2, 1, 3), (1, 4, 3)),
)


def operands(rng, dtype="int8"):
    """Two operands of shapes that broadcast, one of them sometimes constant, and the output's shape."""
    shapes = pick(rng, *SHAPES)
    if rng.random() < 0.5:
        shapes = shapes[::-1]
    first, second = (activation(rng, dtype, shape=s) for s in shapes)
    if rng.random() < 0.3:
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max + 1, shapes[1])
        second = activation(rng, dtype, shape=shapes[1], data=values)
    return first, second, np.broadcast_shapes(*shapes)


def add(rng):
    code, dtype = pick(rng, "ADD", "SUB"), pick(rng, "int8", "int8", "int16")
    first, second, shape = operands(rng, dtype)
    target = activation(rng, dtype, shape=shape, scale=max(first.scale, second.scale) * rng.uniform(0.6, 2.5))
    options = f"{code.title()}Options"
    return single(code, [first, second], [target], options, fusedActivationFunction=pick(rng, 0, 1, 2, 3))


def mul(rng):
    dtype = pick(rng, "int8", "int8", "int16")
    first, second, shape = operands(rng, dtype)
    reach = 60 if dtype == "int8" else 9000
    target = activation(
        rng, dtype, shape=shape, scale=first.scale * second.scale * reach * rng.uniform(0.5, 2.5)
    )
    return single(
        "MUL", [first, second], [target], "MulOptions", fusedActivationFunction=pick(rng, 0, 1, 2, 3)
    )


def minimum(rng):
    dtype = pick(rng, "int8", "int16", "int32")
    first, second, shape = operands(rng, dtype)
    target = T(shape, dtype, first.scale, first.zero_point)
    return single(pick(rng, "MINIMUM", "MAXIMUM"), [first, second], [target])


def squared_difference(rng):
    dtype = pick(rng, "int8", "int8", "int16")
    first, second, shape = operands(rng, dtype)
    reach = max(first.scale, second.scale)
    levels = 80 if dtype == "int8" else 20000
    target = activation(rng, dtype, shape=shape, scale=reach * reach * levels * rng.uniform(0.5, 4.0))
    return single("SQUARED_DIFFERENCE", [first, second], [target])


def prelu(rng):
    dtype = pick(rng, "int8", "int8", "int16")
    source = activation(rng, dtype, shape=(2, 3, 4, 5))
    shape = pick(rng, (5,), (1, 1, 5), (3, 4, 5), (2, 3, 4, 5))
    slopes = activation(rng, shape=shape, scale=scale(rng, 0.002, 0.01), data=rng.integers(-128, 128, shape))
    target = activation(rng, dtype, shape=source.shape, scale=source.scale * rng.uniform(0.5, 2.0))
    return single("PRELU", [source, slopes], [target])


test_add_equals_tflm = equals_tflm(add, models=16)
test_mul_equals_tflm = equals_tflm(mul, models=16, examples=1)
test_minimum_equals_tflm = equals_tflm(minimum, models=12, examples=1)
test_squared_difference_equals_tflm = equals_tflm(squared_difference, models=12, examples=1)
test_prelu_equals_tflm = equals_tflm(prelu, models=12, examples=1)
