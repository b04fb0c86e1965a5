"""Where the parts of a chart lie: points of accuracy against a cost, axes with round numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 260
LEFT, RIGHT, TOP, BOTTOM = 50, 24, 14, 40
_BEYOND = 0.6  # how far below the kept points the axis goes for one given up, in spans of these


@dataclass(frozen=True)
class Point:
    """A step in a chart: its number, its name, whether it was kept, its cost and its score."""

    number: int
    name: str
    kept: bool
    cost: float
    score: float


@dataclass(frozen=True)
class Mark:
    """A point as drawn: `below` says that it lies under the axis and is shown at its edge."""

    x: float
    y: float
    label_x: float
    label_y: float
    number: int
    kept: bool
    below: bool
    title: str


@dataclass(frozen=True)
class Chart:
    """A drawing in its own units; see the template for how it is used."""

    title: str
    marks: tuple[Mark, ...]
    line: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    limit: float | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def chart(
    title: str,
    points: Sequence[Point],
    *,
    is_bytes: bool = True,
    as_percent: bool = True,
    limit: float | None = None,
) -> Chart | None:
    """Returns the chart of points, or None where fewer than one can be drawn.

    The cost starts at 0, the score does not. Points that were given up far below the kept ones are drawn at
    the lower edge.

    Args:
        title: What the cost is.
        points: In the order of the steps; those that are not finite are left out.
        is_bytes: Whether the cost is in bytes, shown in powers of 1024.
        as_percent: Whether the score is a fraction, shown in percent.
        limit: The most that may be spent, drawn as a line.

    Example:
    >>> drawn = chart("flash", [Point(0, "start", True, 2048, 0.9), Point(1, "prune", True, 1024, 0.8)])
    >>> [mark.number for mark in drawn.marks], drawn.x_ticks[0][1]
    ([0, 1], '0')
    """
    points = [p for p in points if math.isfinite(p.cost) and math.isfinite(p.score)]
    if not points:
        return None
    costs = [p.cost for p in points] + ([limit] if limit is not None else [])
    scores = [p.score for p in points if p.kept] or [p.score for p in points]
    low, high = min(scores), max(scores)
    span = max(high - low, 0.01 * abs(high), 1e-6)
    given_up = [p.score for p in points if p.score < low]
    low = max(min([low, *given_up]), low - _BEYOND * span)
    high = max([high, *(p.score for p in points)])
    x_ticks = round_numbers(0, max(max(costs), 1e-9), base=1024 if is_bytes else 1000)
    y_ticks = round_numbers(low - 0.05 * span, high + 0.05 * span, outside=True)
    bottom, top, right = y_ticks[0], y_ticks[-1], max(x_ticks[-1], max(costs))

    def x(cost):
        return round(LEFT + (WIDTH - LEFT - RIGHT) * cost / right, 1)

    def y(score):
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (score - bottom) / (top - bottom), 1)

    digits = max(0, -math.floor(math.log10((y_ticks[1] - y_ticks[0]) * (100 if as_percent else 1)) + 1e-9))
    marks = _marks(points, x, y, bottom, is_bytes, as_percent)
    return Chart(
        title=title,
        marks=marks,
        line=" ".join(f"{m.x},{m.y}" for m in marks if m.kept),
        x_ticks=tuple((x(tick), cost_text(tick, is_bytes)) for tick in x_ticks),
        y_ticks=tuple(
            (y(tick), f"{100 * tick:.{digits}f} %" if as_percent else f"{tick:.{digits}f}")
            for tick in y_ticks
        ),
        limit=None if limit is None else x(limit),
    )


def _marks(points, x, y, bottom, is_bytes, as_percent):
    marks: list[Mark] = []
    taken: list[tuple[float, float]] = []
    for point in points:
        below = point.score < bottom
        place = x(point.cost), y(max(point.score, bottom))
        others = [(x(p.cost), y(max(p.score, bottom))) for p in points if p is not point]
        label = _free_place(place, [*others, *taken])
        taken.append(label)
        score = f"{point.score:.2%}" if as_percent else f"{point.score:.5g}"
        cost = f"{point.cost:,.0f}{' bytes' if is_bytes else ''}"
        title = f"{point.number} {point.name}: {score} at {cost}{'' if point.kept else ', given up'}"
        marks.append(Mark(*place, *label, point.number, point.kept, below, title))
    return tuple(marks)


def _free_place(place, taken):
    """Returns where a number beside a point hides least: the freest of the places around it."""
    around = [(0, -8), (0, 16), (10, 4), (-10, 4), (9, -7), (-9, -7), (9, 15), (-9, 15)]
    candidates = [(round(place[0] + dx, 1), round(place[1] + dy, 1)) for dx, dy in around]
    inside = [(a, b) for a, b in candidates if LEFT < a < WIDTH - RIGHT + 8 and TOP <= b < HEIGHT - BOTTOM]
    return max(
        inside or candidates[:1],
        key=lambda c: min([14.0, *(math.dist((c[0], c[1] - 4), other) for other in taken)]),
    )


def round_numbers(low: float, high: float, *, base=1000, outside=False, most=5) -> list[float]:
    """Returns evenly spaced round numbers from `low` to `high`, at most about `most`.

    Args:
        low: Smallest value to show.
        high: Largest.
        base: What the units are multiples of: 1024 for bytes.
        outside: Whether the numbers must enclose both ends; else they lie between them.
        most: How many gaps there are at most.

    Example:
    >>> round_numbers(0, 100_000, base=1024), round_numbers(0.88, 0.915, outside=True)
    ([0, 20480, 40960, 61440, 81920], [0.88, 0.89, 0.9, 0.91, 0.92])
    """
    unit = 1
    while high - low >= 2 * unit * base:
        unit *= base
    rough = max((high - low) / unit / most, 1e-12)
    power = 10.0 ** math.floor(math.log10(rough))
    step = unit * next(
        factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9)
    )
    first, last = low / step, high / step
    ends = (math.floor, math.ceil) if outside else (math.ceil, math.floor)
    start, stop = ends[0](round(first, 9)), ends[1](round(last, 9))
    if stop == start:
        stop += 1
    decimals = max(0, 2 - math.floor(math.log10(step)))
    numbers = [round(i * step, decimals) for i in range(start, stop + 1)]
    return [int(n) if float(n).is_integer() else n for n in numbers]


def cost_text(value: float, is_bytes: bool) -> str:
    """Returns a cost for an axis.

    Example:
    >>> cost_text(20480, True), cost_text(2_500_000, False), cost_text(0, True)
    ('20 KiB', '2.5 M', '0')
    """
    base, names = (1024, (" B", " KiB", " MiB")) if is_bytes else (1000, ("", " k", " M", " G"))
    power = 0
    while power + 1 < len(names) and abs(value) >= base ** (power + 1):
        power += 1
    return f"{value / base**power:.4g}{names[power] if value else ''}"


def scatter(sample) -> dict:
    """Returns where the predicted numbers lie over the true ones, `(count, 3)`: true, before, after.

    Example:
    >>> import numpy as np
    >>> len(scatter(np.array([[0.0, 0.1, 0.2], [1.0, 0.9, 0.8]]))["after"])
    2
    """
    ticks = round_numbers(float(sample.min()), float(sample.max()), outside=True, most=4)
    low, span = ticks[0], ticks[-1] - ticks[0]

    def x(value):
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / span, 1)

    def y(value):
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - low) / span, 1)

    return {
        "before": [(x(row[0]), y(row[1])) for row in sample],
        "after": [(x(row[0]), y(row[2])) for row in sample],
        "ticks": [(x(tick), y(tick), f"{tick:g}") for tick in ticks],
        "box": (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
        "width": WIDTH,
        "height": HEIGHT,
    }
