import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_shrink.simulation import arithmetic
from tflite_export import fixed_point
from tflite_export.affine import quantize_array
from tflite_export.graph import QuantParams, Tensor

INT32 = st.integers(-(2**31), 2**31 - 1)
SIGNIFICANDS = st.integers(2**30, 2**31 - 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(INT32, min_size=1, max_size=50), SIGNIFICANDS, st.integers(-31, 0))
def test_requantizes_as_fixed_point_does(values, significand, shift):
    want = fixed_point.requantize(np.array(values), fixed_point.Multiplier(significand, shift))
    got = arithmetic.requantize(tf.constant(values, tf.float64), significand, shift, 1 << 31)
    np.testing.assert_array_equal(got.numpy(), want)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-(2**21), 2**21), min_size=1, max_size=50), SIGNIFICANDS, st.integers(-31, 8))
def test_small_numbers_take_the_short_way_to_the_same_result(values, significand, shift):
    want = fixed_point.requantize(np.array(values), fixed_point.Multiplier(significand, shift))
    got = arithmetic.requantize(tf.constant(values, tf.float64), significand, shift, 2**21)
    np.testing.assert_array_equal(got.numpy(), want)


def test_halves_go_away_from_zero():
    values = tf.constant([-6.0, -5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0, 6.0], tf.float64)
    for exponent in (0, 1, 2):
        want = fixed_point.rounding_shift_right(values.numpy().astype(np.int64), exponent)
        np.testing.assert_array_equal(arithmetic.shift_right(values, exponent).numpy(), want)


def test_the_highest_bit_is_exact():
    values = np.concatenate([[2.0**k, 2.0**k - 1] for k in range(1, 53)])
    want = [int(v).bit_length() - 1 for v in values]
    np.testing.assert_array_equal(arithmetic.floor_log2(tf.constant(values)).numpy(), want)


@pytest.mark.parametrize("scale", [0.1, 0.0173, 1 / 256, 3.7])
def test_floats_are_put_on_the_grid_as_on_the_host(scale):
    from keras_shrink.simulation.kernels.pointwise import quantized

    tensor = Tensor(0, "x", (1,), "int8", QuantParams(np.float32([scale]), np.array([7])))
    halves = (np.arange(-300, 300) + 0.5).astype("float32") * np.float32(scale)
    values = np.concatenate([halves, np.nextafter(halves, 9), np.nextafter(halves, -9)]).astype("float32")
    traced = tf.function(lambda x: quantized(x, np.float32(scale), 7, "int8"))
    np.testing.assert_array_equal(traced(values).numpy(), quantize_array(values, tensor))
