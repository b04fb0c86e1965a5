"""A `Summary` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST_NAME = 44


def text(summary) -> str:
    """Returns the facts, the operators and the warnings as lines of plain text."""
    parts = [_ends(summary), _operators(summary), _totals(summary)]
    parts += [f"! {line}" for line in warnings(summary)]
    return "\n".join(parts) + "\n"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Returns columns as wide as their content under a line; `right` names those aligned to the right.

    Example:
    >>> print(table(["name", "n"], [["a", "10"], ["bcd", "5"]], right=[1]))
    name   n
    --------
    a     10
    bcd    5
    """
    shown = [[_plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *shown, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (headings, *shown)
    ]
    if not any(headings):
        return "\n".join(lines[1:]) + "\n"
    return "\n".join([lines[0], "-" * (sum(widths) + 2 * len(widths) - 2), *lines[1:]]) + "\n"


def warnings(summary) -> list[str]:
    """Returns what stands in the way of a microcontroller, a sentence each."""
    found = []
    if summary.float_islands:
        runs = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in summary.float_islands)
        found.append(f"Floats amid integers: operators {runs} compute in floating point.")
    if summary.dynamic_tensors:
        names = ", ".join(name.split(";")[0][:40] for name in summary.dynamic_tensors[:3])
        more = f" and {len(summary.dynamic_tensors) - 3} more" if len(summary.dynamic_tensors) > 3 else ""
        found.append(f"Dynamic shapes ({names}{more}): TFLM takes each unknown size as the file's default.")
    if summary.arena is None and summary.arena_problem != "not measured":
        found.append(summary.arena_problem)
    return found


def _ends(summary):
    rows = []
    for role, tensors in (("input", summary.inputs), ("output", summary.outputs)):
        for t in tensors:
            scale = "" if t.scale is None else f"{t.scale:.8g}"
            point = "" if t.zero_point is None else str(t.zero_point)
            rows.append((role, t.name[:_LONGEST_NAME], shape_text(t.shape), t.dtype, scale, point))
    return table(("", "name", "shape", "type", "scale", "zero point"), rows, right=(4, 5))


def _operators(summary):
    several = any(op.subgraph for op in summary.ops)
    rows = [
        (
            f"{op.subgraph}:{op.index}" if several else str(op.index),
            op.code,
            _shapes(op.inputs),
            _shapes(op.outputs),
            op.dtypes,
            f"{op.macs:,}" if op.macs else "",
            _share(op.macs, summary.macs),
            f"{op.weight_bytes:,}" if op.weight_bytes else "",
            _share(op.weight_bytes, summary.weight_bytes),
        )
        for op in summary.ops
    ]
    headings = ("#", "operator", "reads", "writes", "types", "MACs", "%", "weights", "%")
    return table(headings, rows, right=(0, 5, 6, 7, 8))


def _totals(summary):
    return table(("", "", ""), total_rows(summary), right=(1,))


def total_rows(summary) -> list[tuple[str, str, str]]:
    """Returns name, value and remark of each total."""
    proof = "proved smallest" if summary.plan_is_optimal else "smallest found"
    rows = [
        ("file", f"{summary.file_bytes:,}", "bytes"),
        ("gzip", f"{summary.gzip_bytes:,}", "bytes"),
        ("weights", f"{summary.weight_bytes:,}", "bytes, each constant once"),
        ("parameters", f"{summary.parameters:,}", ""),
        ("MACs", f"{summary.macs:,}", "one inference"),
        ("activations", f"{summary.peak_activation_bytes:,}", f"bytes at operator {summary.peak_operator}"),
        ("memory plan", f"{summary.plan_bytes:,}", f"bytes, aligned; {proof}"),
    ]
    if summary.arena is not None:
        a = summary.arena
        plan = ", follows the plan in the file" if summary.plan_in_file else ""
        rows.append(
            (
                "TFLM arena",
                f"{a.required_bytes:,}",
                f"bytes measured on this 64-bit host ({a.head_bytes:,} head, {a.tail_bytes:,} tail){plan}",
            )
        )
    if summary.signatures:
        rows.append(("signatures", str(len(summary.signatures)), ", ".join(summary.signatures)))
    if summary.metadata:
        rows.append(("metadata", str(len(summary.metadata)), ", ".join(summary.metadata)))
    if summary.card is not None:
        rows.extend(card_rows(summary.card))
    return rows


def card_rows(card) -> list[tuple[str, str, str]]:
    """Returns what the model says of itself."""
    rows = [
        (field, "", value)
        for field in ("name", "description", "version", "author", "license")
        if (value := getattr(card, field))
    ]
    if card.labels:
        more = ", ..." if len(card.labels) > 12 else ""
        rows.append(("labels", str(len(card.labels)), ", ".join(card.labels[:12]) + more))
    if card.mean:
        mean, std = (", ".join(f"{v:g}" for v in values) for values in (card.mean, card.std))
        rows.append(("input", "", f"(value - {mean}) / {std}"))
    return rows


def shape_text(shape) -> str:
    """Returns a shape as `1x49x10x1`, unknown sizes as `?`."""
    return "x".join("?" if size < 0 else str(size) for size in shape) or "scalar"


def _shapes(shapes):
    shown = [shape_text(shape) for shape in shapes[:3]]
    return " ".join(shown) + (f" +{len(shapes) - 3}" if len(shapes) > 3 else "")


def _share(part, whole):
    return f"{100 * part / whole:.1f}" if part and whole else ""


def _plain(value):
    """Text of the file is shown, not obeyed: no control characters."""
    return value if value.isprintable() else "".join(c if c.isprintable() else "?" for c in value)
