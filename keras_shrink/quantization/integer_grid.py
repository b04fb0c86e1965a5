"""The integers that stand for the values of one tensor on the device."""

from __future__ import annotations

import contextlib
import contextvars
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_shrink.quantization.ranges import ActivationQuantizer, FixedRange
from keras_shrink.simulation.arithmetic import round_away

_KNOWN = contextvars.ContextVar("keras_shrink_known_grids", default=None)


@contextlib.contextmanager
def unchanging_grids():
    """While active, a graph computes step and zero point of a range once: a quarter fewer operations."""
    token = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(token)


@dataclass(frozen=True)
class Ends:
    """The range of a tensor that no quantizer rounds, such as a constant.

    Attributes:
        low: Lower end, at most zero.
        high: Upper end, at least zero.
    """

    low: float
    high: float
    num_bits = 8

    @classmethod
    def holding(cls, values):
        """Returns the range of constants, as the converter has it: with zero in it."""
        low, high = min(float(np.min(values)), 0.0), max(float(np.max(values)), 0.0)
        return cls(low, high if high > low else 1.0)

    def ends(self):
        """Returns both ends."""
        return self.low, self.high


@dataclass(frozen=True)
class Grid:
    """The integers that a quantizer stands for."""

    quantizer: ActivationQuantizer | FixedRange | Ends

    @property
    def step(self):
        """The scale as float64, as the file stores it."""
        return self._known("step", lambda: stored(self.exact_step))

    @property
    def exact_step(self):
        """The scale as float64, as the converter has it before it stores it."""
        low, high = self._ends()
        return (high - low) / (2.0**self.quantizer.num_bits - 1.0)

    @property
    def zero_point(self):
        """The integer that stands for zero, as float64."""
        low, _ = self._ends()
        return self._known("zero_point", lambda: tf.round(-low / self.step) + self._least)

    def integers(self, x):
        """Returns the integers of values on the grid, less the zero point."""
        return tf.round(tf.cast(x, tf.float64) / self.step)

    def nearest(self, x):
        """Returns real numbers on the grid, as the input of a file is rounded: halves away from zero."""
        # In float32, as `tflite_export.affine.quantize_array` divides.
        whole = round_away(tf.cast(tf.cast(x, tf.float32) / tf.cast(self.step, tf.float32), tf.float64))
        low = self._least - self.zero_point
        whole = tf.clip_by_value(whole, low, low + 2.0**self.quantizer.num_bits - 1.0)
        return tf.cast(whole * self.step, x.dtype)

    @property
    def _least(self):
        return -(2.0 ** (self.quantizer.num_bits - 1))

    def _ends(self):
        """Returns both ends as float64."""

        def compute():
            ends = self.quantizer.ends()
            tensors = [end if tf.is_tensor(end) else tf.constant(end, tf.float32) for end in ends]
            return [tf.cast(end, tf.float64) for end in tensors]

        return self._known("ends", compute)

    def _known(self, name, compute):
        known = _KNOWN.get()
        if known is None or tf.executing_eagerly():
            return compute()
        # The graph of a loop's body is another, whose tensors the graph around it cannot use.
        of_graph = known.setdefault(tf.compat.v1.get_default_graph(), {})
        key = self.quantizer, name
        if key not in of_graph:
            of_graph[key] = compute()
        return of_graph[key]


def stored(scale):
    """A scale as a file stores it, back in float64."""
    return tf.cast(tf.cast(scale, tf.float32), tf.float64)
