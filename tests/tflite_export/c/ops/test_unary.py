import numpy as np
import pytest

from tests.tflite_export.c.judged import run_c
from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import activation, equals_tflm, pick, scale

SHAPE = (1, 4, 5, 3)
EVERY = T((256,), "int8")  # every input value once


def unary(code, dtype="int8", options="", **fixed):
    """Returns a maker of models of one operator with one input and one output."""

    def make(rng):
        source = activation(rng, dtype, shape=SHAPE)
        target = activation(
            rng, dtype, shape=SHAPE, scale=source.scale * float(np.exp(rng.uniform(-1.5, 1.5)))
        )
        if code == "HARD_SWISH":
            target = activation(rng, shape=SHAPE, scale=source.scale * rng.uniform(0.1, 2.0))
        return single(code, [source], [target], options, **{k: v(rng) for k, v in fixed.items()})

    return make


def to_fixed_output(code, dtype, out_scale, out_zero):
    def make(rng):
        source = activation(
            rng, dtype, shape=SHAPE, scale=scale(rng, *((1e-5, 5e-4) if dtype == "int16" else (0.01, 0.3)))
        )
        return single(code, [source], [T(SHAPE, dtype, out_scale, out_zero)])

    return make


test_relu_equals_tflm = equals_tflm(unary("RELU"), count=8)
test_relu_int16_equals_tflm = equals_tflm(unary("RELU", "int16"), examples=1)
test_relu6_int16_equals_tflm = equals_tflm(unary("RELU6", "int16"), examples=1)
test_leaky_relu_equals_tflm = equals_tflm(
    unary("LEAKY_RELU", options="LeakyReluOptions", alpha=lambda r: float(r.uniform(-0.5, 1.5))), count=8
)
test_leaky_relu_int16_equals_tflm = equals_tflm(
    unary("LEAKY_RELU", "int16", "LeakyReluOptions", alpha=lambda r: float(r.uniform(-0.5, 1.5))), examples=1
)
test_abs_equals_tflm = equals_tflm(unary("ABS"), count=8)
test_abs_int16_equals_tflm = equals_tflm(unary("ABS", "int16"), examples=1)
test_elu_equals_tflm = equals_tflm(unary("ELU"), count=8)
test_hard_swish_equals_tflm = equals_tflm(unary("HARD_SWISH"), count=8)
test_logistic_equals_tflm = equals_tflm(to_fixed_output("LOGISTIC", "int8", 1 / 256, -128), count=8)
test_tanh_equals_tflm = equals_tflm(to_fixed_output("TANH", "int8", 1 / 128, 0), count=8)
test_logistic_int16_equals_tflm = equals_tflm(to_fixed_output("LOGISTIC", "int16", 2**-15, 0), count=40)
test_tanh_int16_equals_tflm = equals_tflm(to_fixed_output("TANH", "int16", 2**-15, 0), count=40)


def power_of_two(rng):
    code, exponent = pick(
        rng, ("LOGISTIC", -12), ("TANH", -12), ("TANH", -11), ("LOGISTIC", -11), ("TANH", -13)
    )
    return single(code, [T(SHAPE, "int16", 2.0**exponent, 0)], [T(SHAPE, "int16", 2**-15, 0)])


test_power_of_two_scales_equal_tflm = equals_tflm(power_of_two, examples=1, count=40)


def relu6(rng):
    source = activation(
        rng, shape=SHAPE, scale=scale(rng, 0.03, 0.2), zero_point=-128 + int(rng.integers(0, 60))
    )
    return single("RELU6", [source], [activation(rng, shape=SHAPE)])


test_relu6_equals_tflm = equals_tflm(relu6)


def rsqrt(rng):
    source = activation(rng, shape=SHAPE, zero_point=-128, scale=scale(rng, 0.01, 1.0))
    return single("RSQRT", [source], [activation(rng, shape=SHAPE, scale=scale(rng, 0.01, 0.2))])


test_rsqrt_equals_tflm = equals_tflm(rsqrt, count=8)


@pytest.mark.parametrize(("code", "function"), [("NEG", np.negative), ("SQRT", np.sqrt)])
def test_what_tflm_lacks_is_the_rounded_real_function(code, function):
    model = single(code, [T((256,), "int8", 0.05, -128)], [T((256,), "int8", 0.07, 20)])
    values = np.arange(-128, 128).astype(np.int8)
    (((ours,),),) = run_c([model], [[[values]]])
    real = function(0.05 * (values.astype(float) + 128)) / 0.07 + 20
    assert np.abs(ours - np.clip(real, -128, 127)).max() <= 0.5000001
