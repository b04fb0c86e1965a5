"""What the property tests of the operators share: how often they run, and random quantization."""

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.tflite_export.c.judged import assert_equals_tflm
from tests.tflite_export.c.models import T, single

MODELS = 8  # compiled into one program


def equals_tflm(make, *, examples=2, models=MODELS, count=4, reset=True):
    """Returns a property test: models that `make(rng)` builds answer as TensorFlow Lite Micro does."""

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32 - 1))
    def test(seed):
        rng = np.random.default_rng(seed)
        assert_equals_tflm([make(rng) for _ in range(models)], rng, count=count, reset=reset)

    return test


def pick(rng, *choices):
    """Returns one of the choices."""
    return choices[rng.integers(len(choices))]


def scale(rng, low=0.003, high=0.2):
    """Returns a random scale, even in its logarithm."""
    return float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high)))))


def zero_point(rng, dtype="int8"):
    """Returns a random zero point, one in three at an end of the range."""
    info = np.iinfo(dtype)
    return int(
        pick(rng, rng.integers(info.min, info.max + 1), rng.integers(info.min, info.max + 1), info.min)
    )


def activation(rng, dtype="int8", **known):
    """Returns a tensor spec with random quantization; `shape` and anything else may be given."""
    known = {"scale": scale(rng), "zero_point": zero_point(rng, dtype) if dtype != "int16" else 0, **known}
    return T(dtype=dtype, **known)


def weights(rng, shape, channels, *, axis=0, per_channel=True, dtype="int8"):
    """Returns a constant weight spec, symmetric, with one scale or one for each channel."""
    top = 7 if dtype == "int4" else 127
    values = rng.integers(-top, top + 1, shape)
    scales = [scale(rng, 0.002, 0.02) for _ in range(channels if per_channel else 1)]
    return T(shape, dtype, scales, 0, values, axis)


def bias(rng, source, kernel, channels, dtype="int32", reach=2000):
    """Returns a constant bias spec with the scale of the products."""
    scales = [source.scale * s for s in np.atleast_1d(kernel.scale)]
    return T((channels,), dtype, scales, 0, rng.integers(-reach, reach, channels))


def accumulated(rng, source, kernel, shape, terms, dtype="int8", **known):
    """Returns an output spec whose range suits sums of `terms` products."""
    step = (
        source.scale
        * float(np.max(kernel.scale))
        * np.sqrt(terms)
        * 70
        / (128 if dtype != "int16" else 20000)
    )
    top = 74 if dtype == "int16" else 1
    return activation(
        rng, dtype, shape=shape, scale=float(step * top * np.exp(rng.uniform(-0.5, 2))), **known
    )


def window_output(size, filter_size, stride, dilation, padding):
    """Returns how many positions a window has along one dimension."""
    extent = (filter_size - 1) * dilation + 1
    return -(-size // stride) if padding == "SAME" else (size - extent) // stride + 1


def four_bit_product(rng, units, depth):
    """Returns a file of one matrix product with 4-bit weights."""
    source = activation(rng, shape=(1, depth))
    kernel = weights(rng, (units, depth), units, per_channel=False, dtype="int4")
    target = accumulated(rng, source, kernel, (1, units), depth)
    return single(
        "FULLY_CONNECTED",
        [source, kernel, bias(rng, source, kernel, units)],
        [target],
        "FullyConnectedOptions",
        fusedActivationFunction=0,
    )
