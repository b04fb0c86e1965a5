import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_export.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    Multiplier,
    activation_range,
    high_mul,
    quantize_multiplier,
    requantize,
    round_half_away,
    rounding_shift_right,
)
from tflite_export.fixed_point_functions import exp_on_negative_values, inverse_sqrt, logistic, tanh

INT32 = st.integers(INT32_MIN, INT32_MAX)


@given(st.floats(2.0**-31, 2.0**30))
def test_a_multiplier_is_as_near_as_31_bits_allow(real):
    significand, shift = quantize_multiplier(real)
    assert 1 << 30 <= significand <= INT32_MAX
    assert abs(significand * 2.0 ** (shift - 31) / real - 1) <= 2.0**-31


def test_a_multiplier_that_would_round_up_to_two_keeps_31_bits():
    assert quantize_multiplier(np.nextafter(1.0, 0.0)) == Multiplier(1 << 30, 1)


@pytest.mark.parametrize("real", [0.0, 2.0**-40])
def test_what_is_too_small_becomes_zero(real):
    assert quantize_multiplier(real) == Multiplier(0, 0)


@pytest.mark.parametrize("real", [-0.5, math.inf, math.nan, 2.0**31])
def test_what_is_no_multiplier_is_refused(real):
    with pytest.raises(ValueError, match="Received: real="):
        quantize_multiplier(real)


@given(INT32, INT32)
def test_high_mul_rounds_halves_up(a, b):
    exact = (2 * a * b + (1 << 31)) >> 32
    assert int(high_mul(a, b)) == min(exact, INT32_MAX)


@given(INT32, st.integers(0, 31))
def test_shift_right_rounds_halves_away_from_zero(value, exponent):
    magnitude = (abs(value) + ((1 << exponent) >> 1)) >> exponent
    assert int(rounding_shift_right(value, exponent)) == (magnitude if value >= 0 else -magnitude)


@given(st.integers(-(1 << 20), 1 << 20), st.floats(0.001, 8.0))
def test_requantize_is_within_a_step_of_the_product(value, real):
    assert abs(int(requantize(value, quantize_multiplier(real))) - value * real) <= 1.0


def test_round_half_away():
    assert round_half_away([-1.5, -0.5, -0.4, 0.5, 2.5]).tolist() == [-2.0, -1.0, 0.0, 1.0, 3.0]


def test_activation_ranges():
    assert activation_range("NONE", 0.1, 3) == (-128, 127)
    assert activation_range("RELU", 0.1, 3) == (3, 127)
    assert activation_range("RELU6", 0.1, 3) == (3, 63)
    assert activation_range("RELU_N1_TO_1", 0.1, 3) == (-7, 13)
    with pytest.raises(ValueError, match="activation must be one of"):
        activation_range("TANH", 0.1, 3)


@given(st.floats(-31.0, 0.0))
def test_exp_is_right_to_one_part_in_a_million(real):
    value = int(exp_on_negative_values(round(real * (1 << 26)))) / 2**31
    assert abs(value - math.exp(real)) < 1e-6


@given(st.floats(-15.0, 15.0))
def test_logistic_and_tanh_are_right_to_one_part_in_a_million(real):
    fixed = round(real * (1 << 27))
    assert abs(int(logistic(fixed, 4)) / 2**31 - 1 / (1 + math.exp(-real))) < 1e-6
    assert abs(int(tanh(fixed, 4)) / 2**31 - math.tanh(real)) < 2e-6


@given(st.integers(1, INT32_MAX))
def test_inverse_sqrt_is_right_to_one_part_in_a_thousand(value):
    root = inverse_sqrt(value)
    assert abs(root.significand / 2**31 * 2.0**root.shift * math.sqrt(value) - 1) < 1e-3
