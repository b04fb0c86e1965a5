"""A `Summary` as tables for a terminal."""

from __future__ import annotations

import io

import rich.box
from rich.console import Console
from rich.table import Table


def text(summary) -> str:
    """Returns the facts, the operators and the warnings, at most 110 columns wide, without colours."""
    sink = io.StringIO()
    print_summary(summary, Console(file=sink, width=110, color_system=None))
    return sink.getvalue()


def print_summary(summary, console: Console) -> None:
    """Prints the facts, the operators and the warnings."""
    console.print(_ends(summary))
    console.print(_operators(summary))
    console.print(_totals(summary))
    for line in warnings(summary):
        console.print(f"[yellow]![/yellow] {line}", highlight=False)


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
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "name", "shape", "type"):
        table.add_column(heading, overflow="fold")
    for heading in ("scale", "zero point"):
        table.add_column(heading, justify="right")
    for role, tensors in (("input", summary.inputs), ("output", summary.outputs)):
        for t in tensors:
            scale = "" if t.scale is None else f"{t.scale:.8g}"
            point = "" if t.zero_point is None else str(t.zero_point)
            table.add_row(role, _plain(t.name), shape_text(t.shape), t.dtype, scale, point)
    return table


def _operators(summary):
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("operator", no_wrap=True)
    for heading in ("reads", "writes", "types"):
        table.add_column(heading, overflow="fold")
    for heading in ("MACs", "%", "weights", "%"):
        table.add_column(heading, justify="right", no_wrap=True)
    several = any(op.subgraph for op in summary.ops)
    for op in summary.ops:
        table.add_row(
            f"{op.subgraph}:{op.index}" if several else str(op.index),
            _plain(op.code),
            _shapes(op.inputs),
            _shapes(op.outputs),
            op.dtypes,
            f"{op.macs:,}" if op.macs else "",
            _share(op.macs, summary.macs),
            f"{op.weight_bytes:,}" if op.weight_bytes else "",
            _share(op.weight_bytes, summary.weight_bytes),
        )
    return table


def _totals(summary):
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for row in total_rows(summary):
        table.add_row(*map(_plain, row))
    return table


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
    """Text of the file is shown, not obeyed: no markup, no control characters."""
    printable = "".join(c if c.isprintable() else "?" for c in value)
    return printable.replace("[", r"\[")
