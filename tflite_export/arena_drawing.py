"""Where the parts of a drawing of the arena lie: a box for each activation over time, and axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_WIDTH, _HEIGHT = 1000, 360
_LEFT, _BOTTOM, _TOP = 70, 24, 10
_LETTER, _LINE = 6.2, 13  # a letter's width and a line's height
_GOLDEN = 137.5  # degrees between the hues of neighbours


def drawing(lifetimes: Sequence[Any], *, overlapping=False) -> dict[str, Any]:
    """Returns what the template `arena.html.j2` draws, in its own units.

    Args:
        lifetimes: `summary.Lifetime` objects: tensor, name, offset, size and first and last operator.
        overlapping: Whether boxes may lie over one another; there is no line then for the sum of them.

    Example:
    >>> drawing([])["boxes"]
    []
    """
    steps = max((t.last for t in lifetimes), default=-1) + 1
    top = max((t.offset + t.size_bytes for t in lifetimes), default=0)
    frame = {"width": _WIDTH, "height": _HEIGHT, "left": _LEFT}
    if not steps or not top:
        return {"boxes": [], "load": "", "ticks": [], **frame}
    step = (_WIDTH - _LEFT - 10) / steps
    byte = (_HEIGHT - _BOTTOM - _TOP) / top
    floor = _HEIGHT - _BOTTOM
    boxes = [
        {
            "x": round(_LEFT + t.first * step, 2),
            "y": round(floor - (t.offset + t.size_bytes) * byte, 2),
            "width": round((t.last - t.first + 1) * step, 2),
            "height": round(t.size_bytes * byte, 2),
            "hue": round(t.tensor * _GOLDEN % 360),
            "label": _fitting(t.name, (t.last - t.first + 1) * step, t.size_bytes * byte),
            "title": f"{t.name}: {t.size_bytes:,} bytes at {t.offset:,}, operators {t.first} to {t.last}",
        }
        for t in lifetimes
    ]
    load = [sum(t.size_bytes for t in lifetimes if t.first <= i <= t.last) for i in range(steps)]
    points = " ".join(
        f"{_LEFT + (i + side) * step:.2f},{floor - amount * byte:.2f}"
        for i, amount in enumerate(load)
        for side in (0, 1)
    )
    marks = [
        (round(floor - top * byte * part + 4, 2), f"{top * part:,.0f}") for part in (0, 0.25, 0.5, 0.75, 1)
    ]
    ticks = [{"x": _LEFT - 5, "y": y, "anchor": "end", "text": label} for y, label in marks]
    ticks += [
        {"x": round(_LEFT + (i + 0.5) * step, 2), "y": _HEIGHT - 8, "anchor": "middle", "text": str(i)}
        for i in range(0, steps, max(1, steps // 20))
    ]
    return {"boxes": boxes, "load": "" if overlapping else points, "ticks": ticks, **frame}


def _fitting(name, width, height):
    """Returns as much of a name as a box has room for, nothing where that says little."""
    letters = int((width - 8) / _LETTER)
    if height < _LINE or letters < 3:
        return ""
    return name if len(name) <= letters else name[: letters - 1] + "…"
