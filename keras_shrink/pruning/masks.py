"""The one function that decides which weights are kept.

Scores, a pattern and a fraction in; boolean masks out. The number of zeros is exact whatever the scores
are, ties included, because units are counted and not compared with a threshold.
"""

import dataclasses

import numpy as np

from keras_shrink.checks import check_fraction


@dataclasses.dataclass(frozen=True)
class Global:
    """One ranking over all layers instead of one per layer.

    Layers with many small weights lose more than others: usually the large ones, and first layers, shortcuts
    and heads are spared. A share of each layer is kept whatever its scores, so that none dies.

    Attributes:
        normalize: Whether scores are divided by the layer's root mean square first, which makes layers more
            alike. Default False.
        min_kept: Fraction of each layer that is always kept, in [0, 1). Default 0.01; at least one unit is
            kept in any case.

    Example:
    >>> Global(min_kept=0.05)
    Global(normalize=False, min_kept=0.05)
    """

    normalize: bool = False
    min_kept: float = 0.01

    def __post_init__(self):
        check_fraction("min_kept", self.min_kept)


@dataclasses.dataclass(frozen=True, eq=False)
class Ranked:
    """What the ranking needs to know of one kernel.

    Attributes:
        scores: Float array of the kernel's shape; the lowest are pruned first.
        pruned: Bool array of the same shape: True where a weight is pruned already and must stay so.
        axes: `(input_axis, output_axis)`.
    """

    scores: np.ndarray
    pruned: np.ndarray
    axes: tuple[int, int]


def as_scope(scope):
    """Returns None for a ranking per layer, or the `Global` that is meant.

    Args:
        scope: `"layer"`, `"global"` or a `Global`.

    Raises:
        ValueError: If it is none of these.

    Example:
    >>> as_scope("global")
    Global(normalize=False, min_kept=0.01)
    """
    if scope == "layer":
        return None
    if scope == "global":
        return Global()
    if isinstance(scope, Global):
        return scope
    raise ValueError(f'scope must be "layer", "global" or a Global. Received: scope={scope!r}.')


def compute_masks(kernels, fraction, pattern, scope="layer"):
    """Returns one bool array per kernel: True where a weight is kept.

    `round(fraction * weights)` weights are pruned in each ranking, to within one unit of the pattern; more
    only where more were pruned already.

    Args:
        kernels: List of `Ranked`.
        fraction: Fraction of weights to prune, in [0, 1).
        pattern: `Element`, `Block` or `NofM`.
        scope: `"layer"`, `"global"` or a `Global`.

    Example:
    >>> from keras_shrink.pruning.patterns import Element
    >>> kernel = Ranked(np.ones((2, 2)), np.zeros((2, 2), bool), (0, 1))
    >>> int(compute_masks([kernel], 0.5, Element())[0].sum())
    2
    """
    settings = as_scope(scope)
    units = [pattern.units(kernel.scores, kernel.pruned, kernel.axes) for kernel in kernels]
    if settings is None:
        chosen = [_lowest(each.scores, each, fraction) for each in units]
    else:
        chosen = _lowest_of_all(units, fraction, settings)
    return [
        np.logical_not(pattern.choose(pruned, kernel.scores.shape, kernel.axes) | kernel.pruned)
        for kernel, pruned in zip(kernels, chosen, strict=True)
    ]


def _lowest(scores, units, fraction):
    """Returns which units to prune in one ranking, as a bool array; of equal ones, the first."""
    target = round(fraction * units.elements)
    size = units.uniform_size
    count = min(round(target / size), scores.size) if size else _units_for(target, scores, units.sizes)
    if count <= 0:
        return scores == -np.inf
    gone = scores == -np.inf  # pruned already: first in any order, so only the others are put into one
    rank = count - np.count_nonzero(gone) - 1
    if rank < 0:
        return gone
    limit = np.partition(scores[~gone] if rank < count - 1 else scores, rank)[rank]
    if np.isnan(limit):  # a training that diverged: the number of zeros is still the one asked for
        scores = np.nan_to_num(scores, nan=np.finfo(scores.dtype).max, posinf=np.inf, neginf=-np.inf)
        limit = np.finfo(scores.dtype).max
    if limit == np.inf:
        return scores < limit
    chosen = scores <= limit
    surplus = np.count_nonzero(chosen) - count
    if surplus:
        chosen[np.flatnonzero(scores == limit)[-surplus:]] = False
    return chosen


def _units_for(target, scores, sizes):
    """Returns how many of the lowest units of different sizes come closest to `target` elements."""
    reached = np.cumsum(sizes[np.argsort(scores, kind="stable")])
    count = int(np.searchsorted(reached, target))
    before = reached[count - 1] if count else 0
    return count + int(count < scores.size and reached[count] - target < target - before)


def _lowest_of_all(units, fraction, settings):
    scores = [_comparable(each, settings) for each in units]
    joined = np.concatenate(scores)
    sizes = np.concatenate([each.sizes for each in units])
    if np.ptp(sizes) == 0:
        sizes = np.broadcast_to(sizes[0], sizes.shape)
    together = type(units[0])(joined, sizes)
    chosen = _lowest(joined, together, fraction)
    return np.split(chosen, np.cumsum([each.scores.size for each in units])[:-1])


def _comparable(units, settings):
    """Returns scores that can be ranked with other layers': scaled, and `inf` where a unit must be kept."""
    scores = units.scores.astype(np.float64)
    finite = np.isfinite(scores)
    if settings.normalize and finite.any():
        # Over the whole layer: what is pruned counts as zero, so a layer that has lost much is spared.
        scale = np.sqrt(np.sum(np.square(scores[finite])) / scores.size)
        scores[finite] /= scale if scale > 0 else 1.0
    keep = max(1, int(np.ceil(settings.min_kept * scores.size)))
    best = np.argpartition(scores, scores.size - keep)[scores.size - keep :]
    best = best[scores[best] != -np.inf]
    scores[best] = np.inf
    return scores
