"""What compression techniques do to one kernel, as functions of arrays: the start of each, untrained.

Each is a function `(kernel, output_axis, amount) -> array` on float64 arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_shrink.clustering import kmeans


@dataclass(frozen=True)
class Technique:
    """How a technique is measured.

    Attributes:
        apply: The function.
        amounts: Those tried by default.
        lowest: Least amount allowed.
        highest: Greatest amount allowed.
        unit: What an amount is, for tables and plots.
        more_is_stronger: Whether a greater amount compresses more.
    """

    apply: Any
    amounts: tuple[float, ...]
    lowest: float
    highest: float
    unit: str
    more_is_stronger: bool


def prune(kernel, output_axis, amount):
    """Returns the kernel with that fraction of zeros, those of least magnitude.

    Example:
    >>> prune(np.array([3.0, -1.0]), 0, 0.5).tolist()
    [3.0, 0.0]
    """
    order = np.argsort(np.abs(kernel), axis=None, kind="stable")
    result = kernel.copy()
    result.reshape(-1)[order[: round(amount * kernel.size)]] = 0
    return result


def quantize(kernel, output_axis, bits):
    """Returns the kernel rounded to a symmetric grid of so many bits for each output channel.

    Example:
    >>> quantize(np.array([[3.0], [1.4]]), 1, 3).tolist()
    [[3.0], [1.0]]
    """
    others = tuple(axis for axis in range(kernel.ndim) if axis != output_axis)
    levels = 2 ** (int(bits) - 1) - 1
    scale = np.abs(kernel).max(axis=others, keepdims=True) / levels
    scale = np.where(scale == 0, 1.0, scale)
    return np.round(kernel / scale) * scale


def cluster(kernel, output_axis, count):
    """Returns the kernel with so many different values besides zero, those of k-means.

    Example:
    >>> cluster(np.array([1.0, 1.2, 5.0, 0.0]), 0, 2).tolist()
    [1.1, 1.1, 5.0, 0.0]
    """
    result = kernel.copy()
    nonzero = kernel != 0
    if nonzero.any():
        centroids = kmeans.find_centroids(kernel[nonzero], int(count))
        result[nonzero] = centroids[kmeans.nearest(kernel[nonzero], centroids)]
    return result


def factorize(kernel, output_axis, fraction):
    """Returns the nearest kernel of that fraction of the full rank, at least 1.

    Example:
    >>> factorize(np.ones((4, 4)), 1, 0.25).round(6).tolist()[0]
    [1.0, 1.0, 1.0, 1.0]
    """
    moved = np.moveaxis(kernel, output_axis, -1)
    left, values, right = np.linalg.svd(moved.reshape(-1, moved.shape[-1]), full_matrices=False)
    rank = max(1, round(fraction * len(values)))
    nearest = (left[:, :rank] * values[:rank]) @ right[:rank]
    return np.moveaxis(nearest.reshape(moved.shape), -1, output_axis)


def prune_channels(kernel, output_axis, amount):
    """Returns the kernel with that fraction of its output channels zero, those of least L1 norm.

    Example:
    >>> prune_channels(np.array([[3.0, 1.0]]), 1, 0.5).tolist()
    [[3.0, 0.0]]
    """
    moved = np.moveaxis(kernel.copy(), output_axis, -1)
    norms = np.abs(moved).sum(axis=tuple(range(moved.ndim - 1)))
    moved[..., np.argsort(norms, kind="stable")[: round(amount * len(norms))]] = 0
    return np.moveaxis(moved, -1, output_axis)


TECHNIQUES = {
    "prune": Technique(prune, (0.25, 0.5, 0.75, 0.9), 0, 1, "fraction of zeros", True),
    "quantize": Technique(quantize, (8, 6, 4, 3, 2), 2, 16, "bits of the weights", False),
    "cluster": Technique(cluster, (64, 16, 8, 4), 1, 65536, "values in a kernel", False),
    "factorize": Technique(
        factorize, (0.75, 0.5, 0.25, 0.125), 0, 1, "rank, fraction of the full one", False
    ),
    "prune_channels": Technique(
        prune_channels, (0.125, 0.25, 0.5, 0.75), 0, 1, "fraction of channels removed", True
    ),
}


def find(technique):
    """Returns the function meant by the name of a technique or by a function.

    Raises:
        ValueError: If it is neither.
    """
    if callable(technique):
        return technique
    if technique not in TECHNIQUES:
        raise ValueError(
            f"technique must be one of {', '.join(TECHNIQUES)}, or a function (kernel, output_axis, amount) "
            f"-> array. Received: technique={technique!r}."
        )
    return TECHNIQUES[technique].apply


def checked_amounts(technique, amounts):
    """Returns the amounts to try as a tuple, those of the technique where none are given.

    Raises:
        ValueError: If there are none, or if one is out of the technique's range.
    """
    known = TECHNIQUES.get(technique) if isinstance(technique, str) else None
    if amounts is None and known is not None:
        return known.amounts
    values = () if amounts is None else tuple(amounts)
    if not values:
        raise ValueError(f"amounts must hold at least one amount. Received: amounts={amounts!r}.")
    if known is not None:
        wrong = [value for value in values if not known.lowest <= value <= known.highest]
        if wrong:
            raise ValueError(
                f"amounts of {technique} are the {known.unit}, in [{known.lowest}, {known.highest}]. "
                f"Received: {wrong[0]!r}."
            )
    return values


def unit(technique):
    """Returns what an amount of a technique is."""
    return TECHNIQUES[technique].unit if technique in TECHNIQUES else "amount"


def strength(technique, amount):
    """Returns a number that grows the more an amount compresses."""
    weaker_when_more = technique in TECHNIQUES and not TECHNIQUES[technique].more_is_stronger
    return -amount if weaker_when_more else amount
