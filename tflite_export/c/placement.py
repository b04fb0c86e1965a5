"""Where each block of the arena lies, when an output may overwrite what its kernel no longer reads."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence

from tflite_export.c.program import Block

ALIGNMENT = 4
ATTEMPTS = 400


def place(
    blocks: Sequence[Block],
    distances: Mapping[tuple, int],
    exact: Collection[tuple] = (),
    *,
    attempts=ATTEMPTS,
):
    """Returns offsets of the blocks and the arena's size.

    Blocks in use at the same time keep apart, except where `distances` allows an output to start a
    given number of bytes before the input it replaces. Many orders of first-fit placement are tried,
    the same ones every time, until one meets the lower bound.

    Args:
        blocks: What to place.
        distances: `(input key, output key)` -> least `offset[input] - offset[output]` in bytes that
            the kernel between them permits.
        exact: Pairs of `distances` whose distance must be met exactly where the blocks overlap.
        attempts: How many shuffled orders are tried at most.

    Example:
    >>> from tflite_export.c.placement import place
    >>> from tflite_export.c.program import Block
    >>> place([Block(0, 100, -1, 0), Block(1, 80, 0, 1)], {(0, 1): 0})
    ({0: 0, 1: 0}, 100)
    """
    if not blocks:
        return {}, 0
    sizes = {b.key: round_up(b.size) for b in blocks}
    distances = {pair: max(round_up(d), -(1 << 40)) for pair, d in distances.items()}
    rivals = {b.key: [r.key for r in blocks if r is not b and _meet(b, r)] for b in blocks}
    bound = _lower_bound(blocks, sizes, distances)
    best: tuple[dict, int] | None = None
    for order in _orders(blocks, sizes, attempts):
        offsets = _first_fit(order, sizes, rivals, distances, exact)
        total = max(offsets[k] + sizes[k] for k in offsets)
        if best is None or total < best[1]:
            best = offsets, total
        if best[1] <= bound:
            break
    return best


def round_up(size, alignment=ALIGNMENT):
    """Returns `size` rounded up to a multiple of `alignment`.

    Example:
    >>> from tflite_export.c.placement import round_up
    >>> round_up(5)
    8
    """
    return -(-size // alignment) * alignment


def _meet(a, b):
    return a.first <= b.last and b.first <= a.last


def _lower_bound(blocks, sizes, distances):
    """Bytes that some moment needs however the blocks are placed."""
    bound = 0
    for moment in {b.first for b in blocks} | {b.last for b in blocks}:
        live = {b.key for b in blocks if b.first <= moment <= b.last}
        total, pairs = 0, [(i, o) for i, o in distances if i in live and o in live]
        for out in {o for _, o in pairs}:
            joined = [i for i, o in pairs if o == out and i in live]
            slack = max(0, distances[joined[0], out]) if len(joined) == 1 else 0
            total += max(sizes[out], sum(sizes[i] for i in joined) + slack)
            live -= {out, *joined}
        bound = max(bound, total + sum(sizes[k] for k in live))
    return bound


def _orders(blocks, sizes, attempts):
    """Orders of placement: by size, outwards from each block in time, then shuffles of those."""
    keys = [b.key for b in blocks]
    first = {b.key: b.first for b in blocks}
    by_size = sorted(keys, key=lambda k: -sizes[k])
    yield by_size
    for start in by_size:
        yield sorted(keys, key=lambda k: (abs(first[k] - first[start]), -sizes[k]))
    dice = random.Random(0)
    for attempt in range(attempts):
        if attempt % 2:
            start = dice.choice(by_size[: max(1, len(keys) // 2)])
            yield sorted(keys, key=lambda k: abs(first[k] - first[start]) + dice.random() * 2)
        else:
            yield sorted(keys, key=lambda k: -sizes[k] * dice.uniform(0.3, 1))


def _first_fit(order, sizes, rivals, distances, exact):
    offsets: dict = {}
    for key in order:
        placed = [r for r in rivals[key] if r in offsets]
        candidates = {0}
        for rival in placed:
            candidates.update((offsets[rival] + sizes[rival], offsets[rival] - sizes[key]))
            if (key, rival) in distances:
                candidates.add(offsets[rival] + max(0, distances[key, rival]))
            if (rival, key) in distances:
                candidates.add(offsets[rival] - max(0, distances[rival, key]))
        offsets[key] = min(
            c
            for c in candidates
            if c >= 0 and all(_apart(key, c, r, offsets[r], sizes, distances, exact) for r in placed)
        )
    return offsets


def _apart(a, at, b, bt, sizes, distances, exact):
    if at + sizes[a] <= bt or bt + sizes[b] <= at:
        return True
    for pair, lag in (((a, b), at - bt), ((b, a), bt - at)):
        if pair in distances and (lag == distances[pair] if pair in exact else lag >= distances[pair]):
            return True
    return False
