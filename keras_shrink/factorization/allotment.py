"""Which option each layer takes: by energy, by a ratio for each, or by one budget for all of them."""

from __future__ import annotations

import itertools
import math

from keras_shrink.factorization.forms import Option


def frontier(options, cost):
    """Returns the options that no other one beats, from the dearest (no loss) to the cheapest.

    Args:
        options: List of `Option`.
        cost: `"parameters"` or `"macs"`.

    Example:
    >>> options = [Option("basis", (r,), 10 * r, 10 * r, loss) for r, loss in ((1, 0.5), (2, 0.6), (3, 0))]
    >>> [option.ranks for option in frontier(options, "macs")]
    [(3,), (1,)]
    """
    kept: list[Option] = []
    for option in sorted(options, key=lambda option: (getattr(option, cost), option.loss)):
        if not kept or option.loss < kept[-1].loss:
            kept.append(option)
    return kept[::-1]


def by_energy(options, energy):
    """Returns the cheapest option that keeps a share of the energy.

    Args:
        options: A frontier.
        energy: Share of the sum of squares to keep, in (0, 1].
    """
    return [option for option in options if option.loss <= 1.0 - energy + 1e-12][-1]


def by_limit(options, limit, cost):
    """Returns the option of least loss that costs at most `limit`, or None."""
    return next((option for option in options if getattr(option, cost) <= limit), None)


def by_budget(frontiers, budget, cost):
    """Returns one option for each frontier: the sum of costs is at most `budget`, the energy kept large.

    What counts is the product over the layers of the energy that each keeps, so that no layer is given up
    for the others. Steps along the lower convex hull of each frontier are taken in the order of harm
    (`-log` of the energy kept) for each unit saved, so layers whose energy sits in few singular values give
    first; what is left of the budget is then spent where it helps most.

    Args:
        frontiers: List of frontiers, as `frontier` returns them.
        budget: Largest sum of costs.
        cost: `"parameters"` or `"macs"`.

    Returns:
        List of options, or None where even the cheapest of all cost more.

    Reference:
        Zhang et al., 2015, arXiv:1505.06798, section 3.3.
    """
    steps = []
    for index, options in enumerate(frontiers):
        hull = _hull(options, cost)
        for before, after in itertools.pairwise(hull):
            steps.append((_slope(before, after, cost), index, after))
    chosen = [options[0] for options in frontiers]
    spent = sum(getattr(option, cost) for option in chosen)
    for _, index, after in sorted(steps, key=lambda step: step[0]):
        if spent <= budget:
            break
        spent += getattr(after, cost) - getattr(chosen[index], cost)
        chosen[index] = after
    return _spend(chosen, frontiers, budget - spent, cost) if spent <= budget else None


def _spend(chosen, frontiers, rest, cost):
    """Returns better options, one layer at a time, until the rest of the budget buys no more."""
    while True:
        affordable = [
            by_limit(options, getattr(now, cost) + rest, cost)
            for now, options in zip(chosen, frontiers, strict=True)
        ]
        gains = [harm(now) - harm(better) for now, better in zip(chosen, affordable, strict=True)]
        if not gains or max(gains) <= 0:
            return chosen
        index = gains.index(max(gains))
        rest -= getattr(affordable[index], cost) - getattr(chosen[index], cost)
        chosen = [*chosen[:index], affordable[index], *chosen[index + 1 :]]


def harm(option):
    """Returns `-log` of the share of the energy that is kept."""
    return -math.log(max(1.0 - option.loss, 1e-12))


def _hull(options, cost):
    """Returns the options on the lower convex hull of harm over cost."""
    hull: list[Option] = []
    for option in options:
        while len(hull) > 1 and _slope(hull[-2], option, cost) <= _slope(hull[-2], hull[-1], cost):
            hull.pop()
        hull.append(option)
    return hull


def _slope(before, after, cost):
    return (harm(after) - harm(before)) / (getattr(before, cost) - getattr(after, cost))
