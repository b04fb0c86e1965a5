"""Rounding of activations as graphs that cost little in training: few passes over a tensor, forward and back.

On a CPU each elementwise operator reads and writes the whole tensor. So the forward pass is the one fused
operator of TensorFlow, which clips and rounds and by its lower end of zero does the work of a ReLU; the
gradient is one pass of the gradient of ReLU or ReLU6 instead of two comparisons, a conjunction and a choice.
"""

import numpy as np
import tensorflow as tf

# ReLU6 passes gradients between 0 and 6 alone, but both ends of a range belong to it. The margin widens the
# range by less than a thousandth of an 8-bit step.
_MARGIN = 1e-5


def inference(x, low, high, num_bits):
    """Returns `x` on the grid of a range, as one operator that the converter reads the scale from."""
    wide = tf.cast(x, tf.float32)
    return tf.cast(_rounded(wide, low, high, num_bits), x.dtype)


def straight_through(x, low, high, num_bits, *, activation="linear", rounds=None):
    """Returns `activation(x)` on the grid of a range; gradients pass inside the range and stop outside.

    Args:
        x: Floating-point tensor before the activation; computed in float32, returned in its dtype.
        low: Lower end, a number or a scalar tensor. Not read for `"relu"` and `"relu6"`: it is zero.
        high: Upper end, above zero; for `"relu6"` at most 6.
        num_bits: Width of the integers.
        activation: `"linear"`, `"relu"` or `"relu6"`.
        rounds: A boolean tensor that, where false, leaves only the activation. Defaults to rounding.
    """
    low = low if activation == "linear" else 0.0

    @tf.custom_gradient
    def computed(x):
        def gradient(upstream):
            return _switched(
                rounds,
                lambda: _inside(upstream, x, low, high, activation),
                lambda: _GRADIENTS[activation](upstream, x),
            )

        # The switch is inside the custom gradient: through it, gradients would cost copies of the tensor.
        value = _switched(
            rounds, lambda: _rounded(x, low, high, num_bits), lambda: ACTIVATIONS[activation](x)
        )
        return value, gradient

    return tf.cast(computed(tf.cast(x, tf.float32)), x.dtype)


def learned(x, low, high, num_bits):
    """Rounds with the gradients of learned step sizes (arXiv:1902.08153) for `x` and both ends."""
    levels = float(2**num_bits - 1)
    per_sample = float(np.prod([size or 1 for size in x.shape[1:]]))

    @tf.custom_gradient
    def computed(x, low, high):
        result = _rounded(x, low, high, num_bits)

        def gradient(upstream):
            inside = tf.logical_and(x >= low, x <= high)
            zero = tf.zeros_like(upstream)
            step = (high - low) / levels
            by_step = tf.reduce_sum(tf.where(inside, upstream * (result - x) / step, zero)) / levels
            scale = 1.0 / tf.sqrt(per_sample * levels)
            by_low = tf.reduce_sum(tf.where(x < low, upstream, zero)) - by_step
            by_high = tf.reduce_sum(tf.where(x > high, upstream, zero)) + by_step
            return tf.where(inside, upstream, zero), scale * by_low, scale * by_high

        return result, gradient

    return tf.cast(computed(tf.cast(x, tf.float32), low, high), x.dtype)


def _rounded(x, low, high, num_bits):
    return tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=num_bits)


def _inside(upstream, x, low, high, activation):
    """Returns `upstream` where `x` is inside the range, else zero."""
    if activation != "linear":
        return _relu6_gradient(upstream, x * ((6.0 - _MARGIN) / high))
    slope = (6.0 - 2 * _MARGIN) / (high - low)
    return _relu6_gradient(upstream, x * slope + (_MARGIN - low * slope))


def _relu_gradient(upstream, x):
    return tf.raw_ops.ReluGrad(gradients=upstream, features=x)


def _relu6_gradient(upstream, x):
    return tf.raw_ops.Relu6Grad(gradients=upstream, features=x)


def _switched(condition, then, otherwise):
    return then() if condition is None else tf.cond(condition, then, otherwise)


ACTIVATIONS = {"linear": tf.identity, "relu": tf.nn.relu, "relu6": tf.nn.relu6}
_GRADIENTS = {"linear": lambda upstream, x: upstream, "relu": _relu_gradient, "relu6": _relu6_gradient}
