"""A `Summary` as an HTML page of its own, with the arena drawn over time."""

from __future__ import annotations

from tflite_export.arena_drawing import drawing
from tflite_export.summary_text import shape_text, total_rows, warnings
from tflite_export.templates import render


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
        arena=drawing(summary.lifetimes),
    )
