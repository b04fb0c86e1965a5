import numpy as np

from tests.tflite_export.c.judged import run_c
from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import activation, equals_tflm, pick, scale

PAIRS = (
    ("int8", "int8"),
    ("int8", "uint8"),
    ("uint8", "int8"),
    ("int8", "int16"),
    ("int8", "int32"),
    ("int16", "int8"),
    ("int16", "int16"),
    ("int16", "int32"),
    ("int32", "int8"),
    ("int32", "int16"),
)


def between_integers(rng, pairs=PAIRS):
    source, target = pick(rng, *pairs)
    low = scale(rng, 0.003, 0.1)
    first = activation(rng, source, shape=(3, 7), scale=low, zero_point=zero(rng, source))
    second = activation(
        rng, target, shape=(3, 7), scale=low * float(np.exp(rng.uniform(-2, 2))), zero_point=zero(rng, target)
    )
    if source == "int32":
        second = T((3, 7), target, first.scale * 2.0 ** rng.uniform(17, 24), second.zero_point)
    return single("QUANTIZE", [first], [second])


def zero(rng, dtype):
    return int(rng.integers(-100, 100)) + (110 if dtype == "uint8" else 0) if dtype != "int32" else 0


test_between_integers_equals_tflm = equals_tflm(between_integers, models=20)


def from_float(rng):
    target = activation(rng, pick(rng, "int8", "int16"), shape=(40,))
    return single("QUANTIZE", [T((40,), "float32")], [target])


test_from_float_equals_tflm = equals_tflm(from_float)


def to_float(rng):
    dtype = pick(rng, "int8", "int16", "uint8")
    return single("DEQUANTIZE", [activation(rng, dtype, shape=(40,))], [T((40,), "float32")])


test_to_float_equals_tflm = equals_tflm(to_float)


def test_float_beyond_every_range_saturates():
    model = single("QUANTIZE", [T((5,), "float32")], [T((5,), "int8", 0.5, 10)])
    values = np.array([1e30, -1e30, np.inf, -np.inf, np.nan], np.float32)
    (((ours,),),) = run_c([model], [[[values]]])
    assert ours.tolist() == [127, -128, 127, -128, 10]
