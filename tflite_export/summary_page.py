"""A `Summary` as an HTML page of its own, with the arena drawn over time."""

from __future__ import annotations

from tflite_export.summary_text import shape_text, total_rows, warnings
from tflite_export.templates import render

_WIDTH, _HEIGHT = 1000, 360
_LEFT, _BOTTOM, _TOP = 70, 24, 10
_GOLDEN = 137.5  # degrees between the hues of neighbours


def page(summary, title: str) -> str:
    """Returns the page as text; it needs no other file and no network."""
    several = any(op.subgraph for op in summary.ops)
    most_macs = max((op.macs for op in summary.ops), default=0) or 1
    most_weights = max((op.weight_bytes for op in summary.ops), default=0) or 1
    ops = [
        {
            "number": f"{op.subgraph}:{op.index}" if several else op.index,
            "code": op.code,
            "reads": " ".join(shape_text(s) for s in op.inputs),
            "writes": " ".join(shape_text(s) for s in op.outputs),
            "dtypes": op.dtypes,
            "macs": f"{op.macs:,}" if op.macs else "",
            "mac_share": round(100 * op.macs / most_macs, 1),
            "weights": f"{op.weight_bytes:,}" if op.weight_bytes else "",
            "weight_share": round(100 * op.weight_bytes / most_weights, 1),
        }
        for op in summary.ops
    ]
    ends = [("input", t) for t in summary.inputs] + [("output", t) for t in summary.outputs]
    return render(
        "summary.html.j2",
        title=title,
        warnings=warnings(summary),
        totals=total_rows(summary),
        ends=ends,
        plan_in_file=summary.plan_in_file,
        ops=ops,
        shape_text=shape_text,
        width=_WIDTH,
        height=_HEIGHT,
        **_drawing(summary.lifetimes),
    )


def _drawing(lifetimes):
    steps = max((t.last for t in lifetimes), default=-1) + 1
    top = max((t.offset + t.size_bytes for t in lifetimes), default=0)
    if not steps or not top:
        return {"boxes": [], "load": "", "ticks": []}
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
        (round(floor - top * byte * part, 2) + 4, f"{top * part:,.0f}") for part in (0, 0.25, 0.5, 0.75, 1)
    ]
    ticks = [{"x": _LEFT - 5, "y": y, "anchor": "end", "text": label} for y, label in marks]
    ticks += [
        {"x": round(_LEFT + (i + 0.5) * step, 2), "y": _HEIGHT - 8, "anchor": "middle", "text": str(i)}
        for i in range(0, steps, max(1, steps // 20))
    ]
    return {"boxes": boxes, "load": points, "ticks": ticks}
