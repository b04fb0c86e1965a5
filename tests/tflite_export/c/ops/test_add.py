from tests.tflite_export.c.models import single
from tests.tflite_export.c.properties import activation, equals_tflm, pick

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
    import numpy as np

    shapes = pick(rng, *SHAPES)
    if rng.random() < 0.5:
        shapes = shapes[::-1]
    first, second = (activation(rng, dtype, shape=s) for s in shapes)
    if rng.random() < 0.3:
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max + 1, shapes[1])
        second = activation(rng, dtype, shape=shapes[1], data=values)
    return first, second, np.broadcast_shapes(*shapes)


def add(rng, dtype="int8"):
    first, second, shape = operands(rng, dtype)
    target = activation(rng, dtype, shape=shape, scale=max(first.scale, second.scale) * rng.uniform(0.6, 2.5))
    return single(
        "ADD", [first, second], [target], "AddOptions", fusedActivationFunction=pick(rng, 0, 1, 2, 3)
    )


test_equals_tflm = equals_tflm(add, models=12)
