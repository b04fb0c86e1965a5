"""Ranges of activations: observed on data, then simulated as integers."""

import contextlib
import contextvars

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common.symbolic_scope import in_symbolic_scope

from keras_shrink.quantization.activation_rounding import ACTIVATIONS, inference, learned, straight_through
from keras_shrink.weights import result_of

_BETWEEN = 1e-3  # steps; rounding errors are a hundredth of that

_OBSERVER = contextvars.ContextVar("keras_shrink_observer", default=None)


@contextlib.contextmanager
def observing(observe):
    """While active, every `ActivationQuantizer` that is traced calls `observe(quantizer, x)` and returns `x`.

    Args:
        observe: Runs while the call is traced, so it updates variables.
    """
    token = _OBSERVER.set(observe)
    try:
        yield
    finally:
        _OBSERVER.reset(token)


def is_observing() -> bool:
    """Whether ranges are being observed rather than used."""
    return _OBSERVER.get() is not None


@keras.saving.register_keras_serializable("keras_shrink")
class FixedRange(keras.layers.Layer):
    """Rounds activations to the grid of a range that is known beforehand, such as softmax's.

    Args:
        low: Smallest representable value.
        high: Largest representable value.
        num_bits: Width of the integers. Defaults to 8.
    """

    def __init__(self, low, high, *, num_bits=8, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high, self.num_bits = float(low), float(high), num_bits
        self.supports_masking = True
        self.autocast = False  # what a form computes in float32 stays so under mixed precision

    def build(self, input_shape):
        """There is nothing to create."""
        self.built = True

    def call(self, x, training=None):
        """Returns `x` on the grid; same shape and dtype."""
        rounded = straight_through if training else inference
        return rounded(x, self.low, self.high, self.num_bits)

    def compute_output_spec(self, x, training=None):
        """As the input."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def range(self):
        """Returns `(low, high)` as floats."""
        return self.low, self.high

    def ends(self):
        """Returns the same, as an observed range says what inference has."""
        return self.low, self.high

    def get_config(self):
        """The range and the width."""
        return {**super().get_config(), "low": self.low, "high": self.high, "num_bits": self.num_bits}


@keras.saving.register_keras_serializable("keras_shrink")
class ActivationQuantizer(keras.layers.Layer):
    """Observes the range of an activation and rounds it to `2**num_bits` levels in that range.

    While training, the range follows the batches' minima and maxima: their plain mean at first, so
    that it starts from the data, then an exponential moving average. Inside `observing()` an
    estimator decides. In inference it stays.

    Args:
        num_bits: Width of the integers. Defaults to 8.
        momentum: Of the moving average. Defaults to 0.99.
        activation: `"relu"` or `"relu6"` if the layer is to compute that as well: the lower end of the
            range is zero then, and training needs no operator for it. Defaults to `"linear"`.
        learned: Whether the optimizer trains the range instead (see `learn_ranges`). Defaults to False.

    Reference:
        Jacob et al., 2018, arXiv:1712.05877.
    """

    def __init__(self, *, num_bits=8, momentum=0.99, activation="linear", learned=False, **kwargs):
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(map(repr, ACTIVATIONS))}. "
                f"Received: activation={activation!r}. Put another one into a layer before."
            )
        self.num_bits, self.momentum, self.activation = num_bits, momentum, activation
        self.supports_masking = True
        self.autocast = False  # what a form computes in float32 stays so under mixed precision
        state = {"shape": (), "dtype": "float32", "initializer": "zeros", "autocast": False}
        # Replicas see different batches; the range follows all of them.
        state["aggregation"] = "mean"
        # TensorFlow's tape watches what was trainable when it was made; `train_range` may want it to.
        self.low = self.add_weight(name="low", **state)
        self.high = self.add_weight(name="high", **state)
        self.low.trainable = self.high.trainable = False
        self.batches_seen = self.add_weight(name="batches_seen", trainable=False, **state)
        self.learned = False
        if learned:
            self.train_range()

    def build(self, input_shape):
        """The range exists from the start."""
        self.built = True

    def call(self, x, training=None):
        """Returns `activation(x)` on the grid of the range; same shape and dtype."""
        observe = _OBSERVER.get()
        if observe is not None:
            x = self.activated(x)
            observe(self, x)
            return x
        if training:
            return self.trained(x)
        self._require_data()
        return result_of(self, inference(self.activated(x), *self.ends(), self.num_bits), x)

    def trained(self, x, *, rounds=None, frozen=None):
        """Returns what a training step computes, and moves the range.

        Args:
            x: The batch.
            rounds: A boolean tensor that, where false, leaves only the activation.
            frozen: A boolean tensor that, where true, leaves the range as it is and `x` unread.
        """
        if not self.starts_at_zero:
            x = self.activated(x)
        low, high = self.follow(tf.stop_gradient(x), frozen)
        if not self.learned:
            activation = self.activation if self.starts_at_zero else "linear"
            return straight_through(x, low, high, self.num_bits, activation=activation, rounds=rounds)
        x = self.activated(x)
        if rounds is None:
            return learned(x, low, high, self.num_bits)
        return tf.cond(rounds, lambda: learned(x, low, high, self.num_bits), lambda: x)

    @property
    def starts_at_zero(self):
        """Whether the lower end of the range is zero by the activation."""
        return self.activation != "linear"

    def activated(self, x):
        """Returns `activation(x)`, not rounded."""
        return ACTIVATIONS[self.activation](x)

    def compute_output_spec(self, x, training=None):
        """As the input; nothing is observed."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def range(self):
        """Returns `(low, high)` as floats."""
        return float(self.low.numpy()), float(self.high.numpy())

    def ends(self):
        """Returns both ends as inference has them, tensors.

        In the range from -1 to 1 zero lies in the middle of two steps: rounding errors would decide which
        integer stands for it, here in one way and in the file in another. A shift by 1/500 of a step decides.
        """
        low, high = (tf.convert_to_tensor(end) for end in (self.low, self.high))
        if self.starts_at_zero:
            return low, high
        step = (high - low) / float(2**self.num_bits - 1)
        place = -low / step
        is_between = tf.abs(place - tf.floor(place) - 0.5) < _BETWEEN
        shift = tf.where(is_between, 2 * _BETWEEN * step, 0.0)
        return low - shift, high - shift

    def forget(self):
        """Returns to the state before the first batch."""
        for variable in (self.low, self.high, self.batches_seen):
            variable.assign(0.0)

    def train_range(self):
        """Hands the range over to the optimizer, which from now on trains both ends."""
        self.learned = True
        self.low.trainable = self.high.trainable = True
        # Zero keeps an integer, and the range never becomes empty.
        self.low.constraint = tf.zeros_like if self.starts_at_zero else (lambda low: tf.minimum(low, 0.0))
        self.high.constraint = lambda high: tf.maximum(high, 1e-5)

    def set_range(self, low, high):
        """Sets the range, as if it had been observed on many batches."""
        if not (np.isfinite(low) and np.isfinite(high) and low <= 0 <= high and low < high):
            raise ValueError(
                "A range must be finite, contain zero and not be empty, so that zero has an integer. "
                f"Received: low={low}, high={high}."
            )
        self.low.assign(low)
        self.high.assign(high)
        self.batches_seen.assign(1.0 / (1.0 - self.momentum))

    def _batch_range(self, x):
        x = tf.cast(x, tf.float32)
        largest = tf.reduce_max(x)
        if self.activation == "relu6":
            largest = tf.minimum(largest, 6.0)
        # What a ReLU leaves has its smallest value at zero: there is nothing to look for.
        low = tf.constant(0.0) if self.starts_at_zero else tf.minimum(tf.reduce_min(x), 0.0)
        # Never empty: a layer that is silent on a batch would give a scale of zero, and TFLM's softmax
        # ends the program at scales below 2**-26.
        return low, tf.maximum(largest, tf.maximum(low + 1e-5, 0.0))

    def follow(self, x, frozen=None):
        """Moves the range towards that of the batch `x`, and returns it as two tensors.

        Args:
            x: The batch.
            frozen: A boolean tensor that, where true, leaves the range as it is and `x` unread.
        """
        if self.learned:
            return self._learned_range(frozen)
        if frozen is None:
            low, high = self._batch_range(x)
        else:
            present = self.low.value, self.high.value
            low, high = tf.cond(frozen, lambda: present, lambda: self._batch_range(x))
        seen = self.batches_seen.value
        rate = tf.maximum(1.0 / (seen + 1.0), 1.0 - self.momentum)
        high = self.high.value + rate * (high - self.high.value)
        self.high.assign(high)
        if not self.starts_at_zero:
            low = self.low.value + rate * (low - self.low.value)
        self.low.assign(low)  # a range from elsewhere may not have started at zero
        self.batches_seen.assign(seen + 1.0)
        return low, high

    def _learned_range(self, frozen):
        low, high = (tf.convert_to_tensor(end) for end in (self.low.value, self.high.value))
        if frozen is None:
            return low, high
        return tuple(tf.where(frozen, tf.stop_gradient(end), end) for end in (low, high))

    def widen(self, x):
        """Extends the range to hold every value of `x`."""
        low, high = self._batch_range(x)
        self.low.assign(tf.minimum(self.low.value, low))
        self.high.assign(tf.maximum(self.high.value, high))
        self.batches_seen.assign(tf.maximum(self.batches_seen.value, 1.0 / (1.0 - self.momentum)))

    def _require_data(self):
        if in_symbolic_scope():
            return  # Keras asks for shapes only
        with tf.init_scope():
            if float(self.batches_seen.numpy()) == 0:
                raise ValueError(
                    f"The range of {self.name!r} is not known: this quantized model has seen no data yet. "
                    "Train it with fit(), or give it data with keras_shrink.calibrate(model, data)."
                )

    def get_config(self):
        """The settings; the range travels with the weights."""
        return {
            **super().get_config(),
            "num_bits": self.num_bits,
            "momentum": self.momentum,
            "activation": self.activation,
            "learned": self.learned,
        }
