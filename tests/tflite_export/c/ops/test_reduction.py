import numpy as np

from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import activation, equals_tflm, pick

SHAPES = ((1, 4, 5, 3), (2, 3, 4), (6,), (2, 7), (3, 1, 4, 2))


def axes_of(rng, shape):
    axes = rng.permutation(len(shape))[: rng.integers(1, len(shape) + 1)]
    return [int(a) - (len(shape) if rng.random() < 0.3 else 0) for a in axes]


def reduced(shape, axes, keep):
    axes = {a % len(shape) for a in axes}
    kept = [1 if d in axes else n for d, n in enumerate(shape) if keep or d not in axes]
    return tuple(kept)


def reduction(*codes, dtypes=("int8",), same=False):
    def make(rng):
        shape, dtype, keep = pick(rng, *SHAPES), pick(rng, *dtypes), bool(rng.integers(2))
        axes = axes_of(rng, shape)
        source = activation(rng, dtype, shape=shape)
        out = reduced(shape, axes, keep)
        target = T(out, dtype, source.scale, source.zero_point)
        if not same:
            target = activation(rng, dtype, shape=out, scale=source.scale * float(np.exp(rng.uniform(-1, 2))))
        table = T((len(axes),), "int32", data=axes)
        return single(pick(rng, *codes), [source, table], [target], "ReducerOptions", keepDims=keep)

    return make


test_sum_equals_tflm = equals_tflm(reduction("MEAN", "SUM", dtypes=("int8", "int8", "int16")), models=20)
test_max_equals_tflm = equals_tflm(reduction("REDUCE_MAX", "REDUCE_MIN", same=True), models=10, examples=1)


def arg_max(rng):
    shape = pick(rng, *SHAPES)
    axis = int(rng.integers(len(shape)))
    out = shape[:axis] + shape[axis + 1 :]
    code = pick(rng, "ARG_MAX", "ARG_MIN")
    options = {"outputType": 2}  # INT32
    inputs = [activation(rng, shape=shape), T((1,), "int32", data=[axis])]
    return single(code, inputs, [T(out, "int32")], f"Arg{code[4:].title()}Options", **options)


test_arg_max_equals_tflm = equals_tflm(arg_max, models=10, examples=1)
