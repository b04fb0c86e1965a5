"""How `calibrate` chooses the range of an activation from what it sees on data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

BINS = 2048


@dataclass(frozen=True)
class MinMax:
    """The smallest and the largest value seen: nothing is clipped, one outlier widens every step.

    Example:
    >>> MinMax()
    MinMax()
    """

    def passes(self, quantizers):
        """Yields, for each pass over the data, the function `(quantizer, x)` that observes it."""
        yield lambda quantizer, x: quantizer.widen(x)


@dataclass(frozen=True)
class MovingAverage:
    """The mean of the batches' smallest and largest values: what training would start from.

    The plain mean for the first `1 / (1 - momentum)` batches, then exponential with the config's
    momentum. It depends on the size of the batches.

    Example:
    >>> MovingAverage()
    MovingAverage()
    """

    def passes(self, quantizers):
        """As `MinMax.passes`."""
        yield lambda quantizer, x: quantizer.follow(x)


@dataclass(frozen=True)
class Percentile:
    """Leaves out the most extreme values of either sign.

    Attributes:
        percent: Share of all values that the range must hold, in percent, in (50, 100]. The rest is
            cut off half at either end. Defaults to 99.99.

    Example:
    >>> counts = np.array([1, 0, 98, 1])
    >>> Percentile(98.0).choose(counts, -2.0, 2.0, num_bits=8)
    (0.0, 1.0)
    """

    percent: float = 99.99

    def __post_init__(self):
        """Checks the setting."""
        if not 50 < self.percent <= 100:
            raise ValueError(
                f"percent must be in (50, 100]. Received: percent={self.percent}. 99.99 suits most networks."
            )

    def passes(self, quantizers):
        """As `MinMax.passes`."""
        return _histogram_passes(quantizers, self.choose)

    def choose(self, counts, low, high, num_bits):
        """Returns `(low, high)` for a histogram with equal bins over `[low, high]`."""
        edges = np.linspace(low, high, len(counts) + 1)
        below = np.cumsum(counts) / max(counts.sum(), 1)
        tail = (1 - self.percent / 100) / 2
        first = int(np.searchsorted(below, tail, side="right"))
        last = int(np.searchsorted(below, 1 - tail, side="left"))
        return float(min(edges[min(first, len(counts) - 1)], 0.0)), float(max(edges[last + 1], 0.0))


@dataclass(frozen=True)
class MeanSquaredError:
    """The range with the least mean squared error between the values and their rounded, clipped ones.

    Ends are tried in steps of a hundredth of what was seen, one end after the other.

    Example:
    >>> counts = np.zeros(2048); counts[:1024], counts[-1] = 1e6, 1  # one outlier far from the rest
    >>> MeanSquaredError().choose(counts, 0.0, 1.0, num_bits=4)[1] < 0.6
    True

    Reference:
        Choukroun et al., 2019, arXiv:1902.06822; Nagel et al., 2021, arXiv:2106.08295, section 3.1.
    """

    def passes(self, quantizers):
        """As `MinMax.passes`."""
        return _histogram_passes(quantizers, self.choose)

    def choose(self, counts, low, high, num_bits):
        """Returns `(low, high)` for a histogram with equal bins over `[low, high]`."""
        edges = np.linspace(low, high, len(counts) + 1)
        used = counts > 0
        # Zeros are many behind a ReLU and always exact; their bin's middle would count as an error.
        values = np.where((edges[:-1] <= 0) & (edges[1:] >= 0), 0.0, (edges[:-1] + edges[1:]) / 2)[used]
        weights = counts[used].astype(np.float64)
        shares = np.arange(0.01, 1.005, 0.01)
        best = (float(low), float(high))
        for _ in range(2):
            for end in (0, 1):
                extreme = (low, high)[end]
                if extreme == 0:
                    continue
                tried = [(extreme * s, best[1]) if end == 0 else (best[0], extreme * s) for s in shares]
                errors = [_squared_error(values, weights, *pair, num_bits) for pair in tried]
                best = tried[int(np.argmin(errors))]
        return float(best[0]), float(best[1])


METHODS = {
    "minmax": MinMax,
    "moving_average": MovingAverage,
    "percentile": Percentile,
    "mse": MeanSquaredError,
}


def as_estimator(method):
    """Returns the estimator meant by its name, or the estimator given.

    Raises:
        ValueError: If it is neither.

    Example:
    >>> as_estimator("percentile")
    Percentile(percent=99.99)
    """
    if isinstance(method, str) and method in METHODS:
        return METHODS[method]()
    if isinstance(method, tuple(METHODS.values())):
        return method
    raise ValueError(
        f"method must be one of {', '.join(map(repr, METHODS))}, or an estimator such as "
        f"quantization.estimators.Percentile(99.9). Received: method={method!r}."
    )


def _histogram_passes(quantizers, choose):
    """Yields two observers: the first finds the range, the second counts values in bins of it."""
    yield lambda quantizer, x: quantizer.widen(x)
    counts = {id(quantizer): tf.Variable(np.zeros(BINS, np.int64)) for quantizer in quantizers}

    def count(quantizer, x):
        low, high = quantizer.low.value, quantizer.high.value
        flat = tf.reshape(tf.cast(x, tf.float32), [-1])
        bins = tf.histogram_fixed_width(flat, tf.stack([low, high]), nbins=BINS, dtype=tf.int32)
        counts[id(quantizer)].assign_add(tf.cast(bins, tf.int64))

    yield count
    for quantizer in quantizers:
        seen = counts[id(quantizer)].numpy()
        if seen.any():
            low, high = choose(seen, *quantizer.range(), num_bits=quantizer.num_bits)
            quantizer.set_range(low, max(high, low + 1e-5))


def _squared_error(values, weights, low, high, num_bits):
    scale = (high - low) / (2**num_bits - 1)
    zero = np.round(low / scale)
    levels = np.clip(np.round(values / scale), zero, zero + 2**num_bits - 1)
    return float(np.dot(weights, (levels * scale - values) ** 2))
