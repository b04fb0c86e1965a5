"""k-means of numbers on a line: where the centroids start, and where they end.

Sorted numbers make it exact and fast: a cluster is a run of neighbours, so an iteration looks for the
boundaries and takes differences of running sums.
"""

import numpy as np

STARTS = ("linear", "density", "k-means++")
_ITERATIONS = 100


def find_centroids(values, count, *, start="linear", generator=None):
    """Returns at most `count` centroids of `values`, ascending: k-means from a chosen start.

    Where there are no more than `count` different values, these are returned and nothing is lost.

    Args:
        values: Float array of any shape, not empty.
        count: Number of centroids, at least 1.
        start: `"linear"` spreads the first centroids evenly from the least to the largest value, so that
            the few large weights are met; `"density"` gives each the same number of values;
            `"k-means++"` draws values that lie far from those drawn before.
        generator: `numpy.random.Generator`; `"k-means++"` needs it.

    Example:
    >>> find_centroids([0.0, 0.1, 1.0, 1.1], 2).round(2)
    array([0.05, 1.05])

    Reference:
        Han et al., 2016, arXiv:1510.00149, section 3; Arthur and Vassilvitskii, 2007, k-means++.
    """
    values = np.sort(np.asarray(values, np.float64), axis=None)
    distinct = np.unique(values)
    if distinct.size <= count:
        return distinct
    centroids = np.sort(_STARTS[start](values, count, generator))
    sums, squares = (np.concatenate([[0.0], np.cumsum(each)]) for each in (values, values**2))
    for _ in range(_ITERATIONS):
        edges = _edges(values, centroids)
        sizes = np.diff(edges)
        moved = np.where(sizes > 0, np.diff(sums[edges]) / np.maximum(sizes, 1), centroids)
        if not sizes.all():
            moved = _refilled(moved, sizes, values, edges, np.diff(squares[edges]))
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return np.unique(centroids)


def nearest(values, centroids):
    """Returns the index of the nearest centroid for each value, with the shape of `values`.

    Args:
        values: Float array.
        centroids: Float array `(count,)`, ascending.

    Example:
    >>> nearest([0.2, 0.9], [0.0, 1.0])
    array([0, 1])
    """
    centroids = np.asarray(centroids, np.float64)
    return np.searchsorted((centroids[1:] + centroids[:-1]) / 2, np.asarray(values, np.float64))


def _edges(values, centroids):
    """Returns where each cluster starts in the sorted values, and where the last one ends."""
    inner = np.searchsorted(values, (centroids[1:] + centroids[:-1]) / 2)
    return np.concatenate([[0], inner, [values.size]])


def _refilled(centroids, sizes, values, edges, squares):
    """Moves a centroid that nobody is nearest to into the cluster with the largest error."""
    errors = squares - sizes * centroids**2
    worst = int(np.argmax(np.where(sizes > 1, errors, -1.0)))
    inside = values[edges[worst] : edges[worst + 1]]
    empty = int(np.flatnonzero(sizes == 0)[0])
    moved = centroids.copy()
    moved[empty] = inside[0] if centroids[worst] - inside[0] > inside[-1] - centroids[worst] else inside[-1]
    return np.sort(moved)


def _linear(values, count, generator):
    return np.linspace(values[0], values[-1], count)


def _density(values, count, generator):
    return np.quantile(values, (np.arange(count) + 0.5) / count)


def _far_apart(values, count, generator):
    chosen = [generator.choice(values)]
    distance = (values - chosen[0]) ** 2
    while len(chosen) < count:
        chosen.append(generator.choice(values, p=distance / distance.sum()))
        distance = np.minimum(distance, (values - chosen[-1]) ** 2)
    return np.array(chosen)


_STARTS = dict(zip(STARTS, (_linear, _density, _far_apart), strict=True))
