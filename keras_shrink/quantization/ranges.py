"""Ranges of activations: observed on data, then simulated as integers."""

import contextlib
import contextvars

import keras
import numpy as np
import tensorflow as tf

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


def _trainable_fake_quant(x, low, high, num_bits):
    """The TensorFlow op with a cheaper gradient: it passes inside the range and is zero outside."""

    @tf.custom_gradient
    def rounded(x):
        def gradient(upstream):
            inside = tf.logical_and(x >= low, x <= high)
            return tf.where(inside, upstream, tf.zeros_like(upstream))

        return tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=num_bits), gradient

    return rounded(x)


def _learned_fake_quant(x, low, high, num_bits):
    """The TensorFlow op with the gradients of learned step sizes (arXiv:1902.08153) for `x` and both ends."""
    levels = float(2**num_bits - 1)
    per_sample = float(np.prod([size or 1 for size in x.shape[1:]]))

    @tf.custom_gradient
    def rounded(x, low, high):
        result = tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=num_bits)

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

    return rounded(x, low, high)


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

    def build(self, input_shape):
        """There is nothing to create."""
        self.built = True

    def call(self, x, training=None):
        """Returns `x` on the grid; same shape and dtype."""
        return _quantize(x, self.low, self.high, self.num_bits, training)

    def compute_output_spec(self, x, training=None):
        """As the input."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def range(self):
        """Returns `(low, high)` as floats."""
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
        never_negative: Whether the input cannot be below zero (it comes from a ReLU), which saves
            looking for the minimum. Defaults to False.
        learned: Whether the optimizer trains the range instead (see `learn_ranges`). Defaults to False.

    Reference:
        Jacob et al., 2018, arXiv:1712.05877.
    """

    def __init__(self, *, num_bits=8, momentum=0.99, never_negative=False, learned=False, **kwargs):
        super().__init__(**kwargs)
        self.num_bits, self.momentum, self.never_negative = num_bits, momentum, never_negative
        self.supports_masking = True
        state = {"shape": (), "dtype": "float32", "initializer": "zeros", "autocast": False}
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
        """Returns `x` on the grid of the range; same shape and dtype."""
        observe = _OBSERVER.get()
        if observe is not None:
            observe(self, x)
            return x
        if training:
            low, high = self.follow(tf.stop_gradient(x))
        else:
            self._require_data()
            low, high = self.low.value, self.high.value
        return self.rounded(x, low, high, training)

    def compute_output_spec(self, x, training=None):
        """As the input; nothing is observed."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def range(self):
        """Returns `(low, high)` as floats."""
        return float(self.low.numpy()), float(self.high.numpy())

    def forget(self):
        """Returns to the state before the first batch."""
        for variable in (self.low, self.high, self.batches_seen):
            variable.assign(0.0)

    def train_range(self):
        """Hands the range over to the optimizer, which from now on trains both ends."""
        self.learned = True
        self.low.trainable = self.high.trainable = True
        # Zero keeps an integer, and the range never becomes empty.
        self.low.constraint = tf.zeros_like if self.never_negative else (lambda low: tf.minimum(low, 0.0))
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
        low = tf.constant(0.0) if self.never_negative else tf.minimum(tf.reduce_min(x), 0.0)
        # Never empty: a layer that is silent on a batch would give a scale of zero, and TFLM's softmax
        # ends the program at scales below 2**-26.
        return low, tf.maximum(tf.reduce_max(x), tf.maximum(low + 1e-5, 0.0))

    def rounded(self, x, low, high, training):
        """Returns `x` on the grid of a range given as two tensors."""
        if training and self.learned:
            wide = tf.cast(x, tf.float32)
            return tf.cast(_learned_fake_quant(wide, low, high, self.num_bits), x.dtype)
        return _quantize(x, low, high, self.num_bits, training)

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
        low = self.low.value + rate * (low - self.low.value)
        high = self.high.value + rate * (high - self.high.value)
        self.low.assign(low)
        self.high.assign(high)
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
            "never_negative": self.never_negative,
            "learned": self.learned,
        }


def _quantize(x, low, high, num_bits, training):
    wide = tf.cast(x, tf.float32)
    if training:
        rounded = _trainable_fake_quant(wide, low, high, num_bits)
    else:
        rounded = tf.quantization.fake_quant_with_min_max_vars(wide, low, high, num_bits=num_bits)
    return tf.cast(rounded, x.dtype)
