import numpy as np
import pytest
import tensorflow as tf

from keras_shrink.quantization.activation_rounding import ACTIVATIONS, inference, straight_through

RANGES = {"linear": (-1.5, 2.0), "relu": (0.0, 2.5), "relu6": (0.0, 5.5)}
X = tf.constant(np.random.default_rng(0).normal(0, 3, (64, 65)).astype("float32"))


def value_and_gradient(activation, x=X, jit_compile=False, **settings):
    @tf.function(jit_compile=jit_compile)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = straight_through(x, *RANGES[activation], 8, activation=activation, **settings)
        return result, tape.gradient(result, x, output_gradients=tf.ones_like(result) * 3)

    return step(x)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("activation", RANGES)
def test_training_computes_what_inference_does_and_passes_gradients_inside_the_range(activation, jit_compile):
    low, high = RANGES[activation]
    value, gradient = value_and_gradient(activation, jit_compile=jit_compile)
    # XLA orders the arithmetic in another way.
    np.testing.assert_allclose(value, inference(ACTIVATIONS[activation](X), low, high, 8), atol=1e-6)
    inside = (low < X) & (high > X)
    assert np.any(inside)
    assert not np.all(inside)
    np.testing.assert_array_equal(gradient, tf.where(inside, 3.0, 0.0))


@pytest.mark.parametrize("activation", RANGES)
def test_both_ends_belong_to_the_range(activation):
    low, high = RANGES[activation]
    x = tf.constant([low, high, high * 1.001], tf.float32)
    gradient = value_and_gradient(activation, x)[1].numpy().tolist()
    assert gradient == [3.0 if activation == "linear" else 0.0, 3.0, 0.0]  # ReLU passes nothing at zero


@pytest.mark.parametrize("activation", RANGES)
def test_without_rounding_the_activation_is_left(activation):
    value, gradient = value_and_gradient(activation, rounds=tf.constant(False))
    with tf.GradientTape() as tape:
        tape.watch(X)
        expected = ACTIVATIONS[activation](X)
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(gradient, 3 * tape.gradient(expected, X))
    rounded = value_and_gradient(activation, rounds=tf.constant(True))
    for one, other in zip(rounded, value_and_gradient(activation), strict=True):
        np.testing.assert_array_equal(one, other)


def test_half_precision_goes_in_and_comes_out():
    assert value_and_gradient("relu", tf.cast(X, "float16"))[0].dtype == "float16"
