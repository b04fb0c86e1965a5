"""Which groups go: the lowest scores first, until the model costs what it may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_shrink.channels.groups import Groups

_CLOSE = 0.95


@dataclass(frozen=True, eq=False)
class Cut:
    """One step of one family: the next of its classes in the order of their scores.

    Attributes:
        family: Index of the family.
        position: How many steps of the family come before.
        classes: The classes that go.
        rank: Steps go in ascending order of it.
    """

    family: int
    position: int
    classes: np.ndarray
    rank: float


def all_cuts(groups: Groups, scores, scope, saved=None):
    """Returns every step that is possible, in the order in which they should be taken.

    Args:
        groups: The groups of the model.
        scores: Score of each class; a family with NaN is left alone.
        scope: `"global"` ranks the steps of all families by their mean score; `"layer"` takes an equal
            fraction of each.
        saved: Function `classes -> cost` that they save. With it `"global"` ranks by the sum of scores
            over what is saved: what the loss pays for it.
    """
    cuts = []
    for index, family in enumerate(groups.families):
        values = scores[family.classes]
        if np.isnan(values).any():
            continue
        order = family.classes[np.argsort(values, kind="stable")]
        before = len(order)
        highest = -np.inf
        for position, left in enumerate(family.cuts()):
            going = order[len(order) - before : len(order) - left]
            price = scores[going].mean() if saved is None else scores[going].sum() / max(saved(going), 1)
            highest = max(highest, float(price))
            rank = highest if scope == "global" else 1 - left / len(order)
            cuts.append(Cut(index, position, going, rank))
            before = left
    return sorted(
        cuts, key=lambda cut: (cut.rank, float(scores[cut.classes].mean()), cut.family, cut.position)
    )


def choose(groups: Groups, cuts, cost, limit):
    """Returns which classes are alive (a boolean array) once the cost is at most `limit`.

    The first cuts in the list that bring the cost down far enough are taken; then, the best first, those are
    taken back that the limit leaves room for. Where steps are so coarse that the cost still falls short of
    the limit by more than 5 %, one family after the other is spared its last cut and others pay for it; the
    result closest to the limit counts.

    Args:
        groups: The groups of the model.
        cuts: What `all_cuts` returned.
        cost: Function of `kept`, the function `ids -> number of those channels that are left`.
        limit: The cost allowed.

    Returns:
        None where even with all cuts the cost is above the limit.
    """

    def alive_after(taken):
        alive = np.ones(groups.count, bool)
        for cut in taken:
            alive[cut.classes] = False
        return alive

    def cost_after(taken):
        return cost(groups.kept(alive_after(taken)))

    best = _fewest(cuts, cost_after, limit)
    if best is None:
        return None
    for last in [cut for cut in reversed(best) if not any(_goes_on(cut, other) for other in best)]:
        if cost_after(best) >= _CLOSE * limit:
            break
        spared = [cut for cut in cuts if cut is not last and not _goes_on(last, cut)]
        other = _fewest(spared, cost_after, limit)
        if other is not None and cost_after(other) > cost_after(best):
            best = other
    return alive_after(best)


def _goes_on(cut, other):
    """Whether `other` cuts deeper into the family of `cut`."""
    return other.family == cut.family and other.position > cut.position


def _fewest(cuts, cost_after, limit):
    """Returns the cuts that are needed to get down to the limit, None if all are not enough."""
    if cost_after(cuts) > limit:
        return None
    low, high = 0, len(cuts)  # `high` cuts are enough
    while low < high:
        middle = (low + high) // 2
        if cost_after(cuts[:middle]) <= limit:
            high = middle
        else:
            low = middle + 1
    taken = cuts[:high]
    closed = set()
    for cut in reversed(cuts[:high]):
        if cut.family in closed:
            continue
        fewer = [other for other in taken if other is not cut]
        if cost_after(fewer) <= limit:
            taken = fewer
        else:
            closed.add(cut.family)
    return taken
