"""Patterns: which weights of a kernel are pruned together.

A pattern turns the scores of a kernel's elements into the scores of its units, and a choice of units back
into a choice of elements. Whole arrays in, whole arrays out; nothing here knows about Keras.
"""

import dataclasses
import functools
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Units:
    """The units of a kernel, as a pattern sees them.

    Attributes:
        scores: Float array `(units,)`; `-inf` for a unit that is pruned already, `inf` for one that the
            pattern keeps.
        sizes: Integer array `(units,)`: elements per unit.
    """

    scores: np.ndarray
    sizes: np.ndarray

    @property
    def uniform_size(self):
        """The size that all units have, or 0 where they differ."""
        return int(self.sizes[0]) if self.sizes.strides == (0,) or np.ptp(self.sizes) == 0 else 0

    @property
    def elements(self):
        """Number of elements in all units."""
        return self.scores.size * int(self.sizes[0]) if self.sizes.strides == (0,) else int(self.sizes.sum())


@functools.lru_cache(maxsize=1024)
def _same_size(count, size=1):
    return np.broadcast_to(np.int64(size), (count,))


@dataclasses.dataclass(frozen=True)
class Element:
    """Each weight on its own: the smallest loss of accuracy, and zeros that only entropy coding uses.

    Example:
    >>> Element().choose(np.array([True, False]), (1, 2), None)
    array([[ True, False]])
    """

    def units(self, scores, pruned, axes):
        """Returns the `Units` of a kernel.

        Args:
            scores: Float array of the kernel's shape.
            pruned: Bool array of the same shape: True where a weight is pruned already.
            axes: `(input_axis, output_axis)` of the kernel; unused.
        """
        flat = np.where(pruned, -np.inf, scores).ravel()
        return Units(flat, _same_size(flat.size))

    def choose(self, chosen, shape, axes):
        """Returns the elements of the chosen units as a bool array of `shape`."""
        return chosen.reshape(shape)

    def largest_fraction(self):
        """Returns the largest fraction of zeros that the pattern allows."""
        return 1.0


@dataclasses.dataclass(frozen=True)
class Block:
    """Blocks of weights: zeros that a kernel working on vectors can skip.

    A block of two sizes `(a, b)` spans `a` channels in and `b` channels out at one position of a
    convolution: `Block((1, 4))` on a Conv2D kernel of shape `(3, 3, 16, 32)` makes `3 * 3 * 16 * 8` blocks
    of four. A block of more sizes is laid on the last axes of the kernel as they are: `Block((3, 3, 1, 1))`
    is a whole filter plane. A size of 0 means the whole axis. Where an axis is no multiple of the block, the
    last block is smaller. The score of a block is the mean or the largest of its elements' scores.

    Attributes:
        shape: Sizes of the block, at least two.
        pooling: `"mean"` or `"max"`. Defaults to `"mean"`.

    Example:
    >>> Block((1, 4)).shape
    (1, 4)
    """

    shape: tuple[int, ...] = (1, 4)
    pooling: str = "mean"

    def __post_init__(self):
        if self.pooling not in ("mean", "max"):
            raise ValueError(f"pooling must be 'mean' or 'max'. Received: pooling={self.pooling!r}.")
        sizes = self.shape
        whole = isinstance(sizes, tuple) and all(isinstance(n, int) and n >= 0 for n in sizes)
        if not whole or len(sizes) < 2:
            raise ValueError(
                "shape must be a tuple of two or more integers of at least 0, such as (1, 4). "
                f"Received: shape={sizes!r}."
            )

    def units(self, scores, pruned, axes):
        """Returns the `Units` of a kernel.

        Args:
            scores: Float array of the kernel's shape.
            pruned: Bool array of the same shape: True where a weight is pruned already.
            axes: `(input_axis, output_axis)` of the kernel.
        """
        sizes = self._sizes(scores.shape, axes)
        finite = np.where(np.isfinite(scores), scores, np.finfo(np.float32).max)
        count = _over_blocks(np.add, np.ones(scores.shape, np.int64), sizes)
        gone = _over_blocks(np.add, pruned.astype(np.int64), sizes)
        if self.pooling == "max":
            pooled = _over_blocks(np.maximum, finite, sizes)
        else:
            pooled = _over_blocks(np.add, finite, sizes) / count
        unit_scores = np.where(gone == count, -np.inf, pooled)
        return Units(unit_scores.ravel(), count.ravel())

    def choose(self, chosen, shape, axes):
        """Returns the elements of the chosen units as a bool array of `shape`."""
        sizes = self._sizes(shape, axes)
        grid = chosen.reshape([math.ceil(n / size) for n, size in zip(shape, sizes, strict=True)])
        for axis, size in enumerate(sizes):
            grid = np.repeat(grid, size, axis=axis)
        return grid[tuple(slice(n) for n in shape)]

    def largest_fraction(self):
        """Returns the largest fraction of zeros that the pattern allows."""
        return 1.0

    def _sizes(self, shape, axes):
        if len(self.shape) > max(len(shape), 2):
            raise ValueError(
                f"A block of {len(self.shape)} sizes does not fit a kernel of rank {len(shape)}. "
                f"Received: shape={self.shape}, kernel shape={tuple(shape)}. "
                "Choose other layers, or a block of two sizes, which fits every kernel."
            )
        sizes = [1] * len(shape)
        if len(self.shape) == 2 and len(shape) > 1:
            sizes[axes[0]], sizes[axes[1]] = self.shape
        else:
            sizes[max(len(shape) - len(self.shape), 0) :] = self.shape[-len(shape) :]
        return [n if size == 0 else min(size, n) for n, size in zip(shape, sizes, strict=True)]


def _over_blocks(function, values, sizes):
    for axis, size in enumerate(sizes):
        if size > 1:
            values = function.reduceat(values, np.arange(0, values.shape[axis], size), axis=axis)
    return values


@dataclasses.dataclass(frozen=True)
class NofM:
    """At most `n` weights other than zero in each `m` neighbours along the channels in.

    `NofM(2, 4)` is what sparse tensor cores read, and it halves what a kernel reads at a fixed index cost of
    two bits a weight kept. While a schedule is below the full fraction `1 - n / m`, the smallest of the
    weights that the full pattern would take are pruned. Where the axis is no multiple of `m`, the last group
    counts as filled up with zeros: it keeps `n` weights, too.

    Attributes:
        n: Weights kept in a group.
        m: Weights in a group, above `n`.
        axis: Axis of the kernel; by default the one that the layer sums over.

    Example:
    >>> NofM(2, 4).largest_fraction()
    0.5
    """

    n: int = 2
    m: int = 4
    axis: int | None = None

    def __post_init__(self):
        if not (isinstance(self.n, int) and isinstance(self.m, int) and 0 < self.n < self.m):
            raise ValueError(
                f"n and m must be integers with 0 < n < m. Received: n={self.n!r}, m={self.m!r}."
            )

    def units(self, scores, pruned, axes):
        """Returns the `Units` of a kernel.

        Args:
            scores: Float array of the kernel's shape.
            pruned: Bool array of the same shape: True where a weight is pruned already.
            axes: `(input_axis, output_axis)` of the kernel.
        """
        axis = self._axis(scores.shape, axes)
        rows = np.moveaxis(np.where(pruned, -np.inf, scores), axis, -1)
        length = rows.shape[-1]
        padding = [(0, 0)] * (rows.ndim - 1) + [(0, -length % self.m)]
        groups = np.pad(rows, padding, constant_values=-np.inf).reshape(-1, self.m)
        kept = np.argsort(groups, axis=-1, kind="stable")[:, self.m - self.n :]
        groups = groups.copy()
        np.put_along_axis(groups, kept, np.inf, axis=-1)
        rows = groups.reshape(*rows.shape[:-1], -1)[..., :length]
        flat = np.moveaxis(rows, -1, axis).ravel()
        gone = pruned.ravel()
        flat = np.where(gone, -np.inf, flat)
        return Units(flat, _same_size(flat.size))

    def choose(self, chosen, shape, axes):
        """Returns the elements of the chosen units as a bool array of `shape`."""
        return chosen.reshape(shape)

    def conformity(self, zero, axes):
        """Returns the fraction of groups with at most `n` weights other than zero.

        Args:
            zero: Bool array of the kernel's shape: True where a weight is zero.
            axes: `(input_axis, output_axis)` of the kernel.
        """
        rows = np.moveaxis(~zero, self._axis(zero.shape, axes), -1)
        padding = [(0, 0)] * (rows.ndim - 1) + [(0, -rows.shape[-1] % self.m)]
        kept = np.pad(rows, padding).reshape(-1, self.m).sum(axis=1)
        return float(np.mean(kept <= self.n))

    def largest_fraction(self):
        """Returns the largest fraction of zeros that the pattern allows."""
        return 1.0 - self.n / self.m

    def _axis(self, shape, axes):
        axis = axes[0] if self.axis is None else self.axis
        if not -len(shape) <= axis < len(shape):
            raise ValueError(
                f"axis must name an axis of a kernel of shape {tuple(shape)}. Received: axis={axis}."
            )
        return axis
