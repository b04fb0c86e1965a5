"""A `Report` as an HTML page of its own: figures become texts and drawings, the template arranges them."""

from __future__ import annotations

import dataclasses
import hashlib
import math

import numpy as np

from keras_shrink import page
from keras_shrink.reporting.curves import Point, chart, scatter
from keras_shrink.reporting.outcomes import Confusion
from keras_shrink.reporting.report import tensor_names
from tflite_export.arena_drawing import drawing
from tflite_export.summary_text import shape_text, warnings

_WHOLE_MATRIX = 20  # classes whose matrix is shown with its numbers
_COARSEST = 100  # classes whose matrix is drawn at all
_MATTERS = 0.05  # share of the worst layer's error from which on a cause is named
_FULL_SQNR = 60.0  # decibels at which a bar is full


def document(made, title: str) -> str:
    """Returns the page of a `Report` as text."""
    graph = made.tflite.graph
    return page.render_template(
        "report.html.j2",
        title=title,
        headline=_headline(made),
        sizes=[(name, f"{a:,}", f"{b:,}", _ratio(a, b)) for name, a, b in made.sizes()],
        warnings=warnings(made.after),
        metric=made.metric,
        steps=_step_rows(made),
        charts=[drawn for drawn in _charts(made) if drawn is not None],
        has_budget=made.budget is not None,
        layers=_layer_rows(made.layers),
        layers_are_operators=made.sqnr_db is None,
        sqnr="" if made.sqnr_db is None else f"{made.sqnr_db:.1f}",
        outcomes=[_outcome(one) for one in made.outcomes],
        plans=_plans(made, tensor_names(graph)),
        file_name=next((p.name for p in made.files if p.suffix == ".tflite"), "model.tflite"),
        strips=made.strips,
        digest=hashlib.sha256(graph.content).hexdigest(),
        files=_files(made.files),
        ends=_ends(graph),
        operators=sorted({op.custom_code or op.code for op in graph.main.ops}),
        boards=[_board(check) for check in made.boards],
        facts=made.after,
        c_arena_bytes=made.c_arena_bytes,
    )


def _score_text(made, value) -> str:
    """Returns a score of a report as it is shown; nothing where there is none."""
    if value is None or not math.isfinite(value):
        return ""
    return f"{value:.2%}" if made.is_share else f"{value:.4g}"


def _change_text(made, change) -> str:
    if change is None or not math.isfinite(change):
        return ""
    return f"{100 * change:+.2f} points" if made.is_share else f"{change:+.4g}"


def _ratio(before, after) -> str:
    if not before or not after:
        return ""
    if before == after:
        return "the same"
    if 0.91 < after / before < 1.1:
        return f"{abs(after / before - 1):.1%} {'less' if after < before else 'more'}"
    return f"{before / after:.1f}x less" if before > after else f"{after / before:.1f}x more"


def _headline(made):
    first, last = made.score
    scores = (_score_text(made, score) for score in made.score)
    shown = [(made.metric, *scores, _change_text(made, last - first))]
    for name, before, after in made.sizes():
        if name in (".tflite bytes", "multiply-accumulates", "bytes of activations, planned"):
            shown.append((name, f"{before:,}", f"{after:,}", _ratio(before, after)))
    return shown


def _step_rows(made):
    rows, kept = [], None
    for number, step in enumerate(made.steps):
        costs = []
        for field in ("flash_bytes", "ram_bytes", "instructions"):
            value, reference = getattr(step, field), getattr(kept, field, None)
            share = "" if not reference or not value else f"{value / reference - 1:+.0%}"
            costs.append(
                ("" if value is None else f"{value:,.0f}", share if share not in ("+0%", "-0%") else "")
            )
        rows.append(
            {
                "number": number,
                "name": step.name,
                "amount": "" if step.amount is None else _amount(step.amount),
                "kept": bool(step.accepted),
                "score": _score_text(made, step.accuracy),
                "change": "" if kept is None else _change_text(made, step.accuracy - kept.accuracy),
                "costs": costs,
                "seconds": f"{step.seconds:,.0f} s" if step.seconds >= 10 else f"{step.seconds:.1f} s",
                "reason": step.reason,
            }
        )
        if step.accepted:
            kept = step
    return rows


def _amount(amount):
    return f"{amount:.4g}" if isinstance(amount, float) else str(amount)


def _charts(made):
    if not made.steps:
        return _charts_of_two(made)
    drawn = []
    for title, field, is_bytes in (
        ("flash", "flash_bytes", True),
        ("RAM", "ram_bytes", True),
        ("instructions", "instructions", False),
    ):
        points = [
            Point(number, step.name, bool(step.accepted), float(getattr(step, field)), float(step.accuracy))
            for number, step in enumerate(made.steps)
            if getattr(step, field) is not None and step.accuracy is not None
        ]
        limit = getattr(made.budget, title.lower(), None)
        numeric = limit if isinstance(limit, int | float) and not isinstance(limit, bool) else None
        drawn.append(chart(title, points, is_bytes=is_bytes, as_percent=made.is_share, limit=numeric))
    return drawn


def _charts_of_two(made):
    """Returns the charts of original and final model, where no steps were recorded."""
    return [
        chart(
            name,
            [
                Point(0, "original", True, before, made.score[0]),
                Point(1, "final", True, after, made.score[1]),
            ],
            is_bytes="bytes" in name,
            as_percent=made.is_share,
        )
        for name, before, after in made.sizes()
        if name in (".tflite bytes", "bytes of activations, planned", "multiply-accumulates")
    ]


def _layer_rows(layers):
    worst = max((layer.error.error for layer in layers if layer.error is not None), default=0.0) or 1.0
    rows = []
    for layer in layers:
        error = layer.error
        matters = error is not None and error.error >= _MATTERS * worst
        rows.append(
            {
                "name": layer.name,
                "kind": layer.kind,
                "weights": f"{layer.weights:,}" if layer.weights else "",
                "sparsity": f"{layer.sparsity:.1%}" if layer.weights else "",
                "sparsity_bar": round(100 * layer.sparsity, 1),
                "bits": layer.bits or "",
                "sqnr": "" if error is None else f"{error.sqnr_db:.1f}",
                "sqnr_bar": 0
                if error is None
                else round(100 * min(max(error.sqnr_db / _FULL_SQNR, 0), 1), 1),
                "error": "" if error is None else f"{error.error:.1e}",
                "error_bar": 0 if error is None else round(100 * error.error / worst, 1),
                "cause": error.cause if matters else "",
                "remedy": error.remedy if matters else "",
            }
        )
    return rows


def _outcome(one):
    if not isinstance(one, Confusion):
        pairs = (one.mean_absolute, one.root_mean_square, one.explained)
        names = ("mean absolute error", "root mean square error", "explained variance")
        rows = [(name, *(f"{v:.5g}" for v in pair)) for name, pair in zip(names, pairs, strict=True)]
        return {"kind": "numbers", "output": one.output, "rows": rows, "plot": scatter(one.sample)}
    count = len(one.classes)
    before, after = one.recall
    matrices = []
    if count <= _COARSEST:
        for name, counts, accuracy in zip(
            ("original", "final"), (one.before, one.after), one.accuracy, strict=True
        ):
            matrices.append({"name": name, "accuracy": f"{accuracy:.2%}", "rows": _cells(counts)})
    return {
        "kind": "classes",
        "output": one.output,
        "accuracy": [f"{value:.2%}" for value in one.accuracy],
        "classes": one.classes,
        "with_numbers": count <= _WHOLE_MATRIX,
        "matrices": matrices,
        "changed": [(one.classes[i], f"{before[i]:.1%}", f"{after[i]:.1%}") for i in one.most_changed()],
        "mistakes": [(one.classes[i], one.classes[j], a, b) for i, j, a, b in one.mistakes()],
    }


def _cells(counts):
    """Returns the cells that are not empty, row by row: column, count, share of the row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return [
        [(int(j), int(counts[i, j]), round(float(shares[i, j]), 3)) for j in np.flatnonzero(counts[i])]
        for i in range(len(counts))
    ]


def _plans(made, names):
    lifetimes = [dataclasses.replace(t, name=names.get(t.tensor, t.name)) for t in made.after.lifetimes]
    plans = [
        {
            "title": "TensorFlow Lite Micro",
            "total": made.after.plan_bytes,
            "unit": "operators",
            "remark": "proved to be the smallest plan without overlaps"
            if made.after.plan_is_optimal
            else "the smallest plan without overlaps that was found",
            "arena": drawing(lifetimes),
            "rows": _places(lifetimes),
        }
    ]
    if made.c_arena_bytes is not None:
        plans.append(
            {
                "title": "Standalone C",
                "total": made.c_arena_bytes,
                "unit": "kernel calls",
                "remark": "a kernel may write over the part of its input that it has read, so boxes overlap; "
                "working memory included",
                "arena": drawing(made.c_arena, overlapping=True),
                "rows": _places(made.c_arena),
            }
        )
    return plans


def _places(lifetimes):
    ordered = sorted(lifetimes, key=lambda t: (t.first, t.offset))
    return [
        (
            t.name,
            f"{t.size_bytes:,}",
            f"{t.offset:,}",
            f"{t.offset + t.size_bytes:,}",
            f"{t.first} to {t.last}",
        )
        for t in ordered
    ]


def _files(files):
    rows = []
    for path in files:
        content = path.read_bytes() if path.is_file() else None
        size = "" if content is None else f"{len(content):,}"
        rows.append((str(path), size, "" if content is None else hashlib.sha256(content).hexdigest()[:16]))
    return rows


def _ends(graph):
    rows = []
    for role in ("inputs", "outputs"):
        for name, tensor in graph.named(role).items():
            params = tensor.quantization
            rows.append(
                (
                    role[:-1],
                    name,
                    shape_text(tensor.shape),
                    tensor.dtype,
                    "" if params is None else f"{params.scale[0]:.8g}",
                    "" if params is None else str(params.zero_point[0]),
                )
            )
    return rows


def _board(check):
    return {
        "title": check.device.title,
        "fits": check.fits,
        "flash": f"{check.flash_bytes:,}",
        "flash_free": f"{check.flash_available_bytes:,}",
        "ram": f"{check.ram_bytes:,}",
        "ram_free": f"{check.ram_available_bytes:,}",
        "latency": f"{check.latency_ms:,.0f}" if check.latency_ms >= 10 else f"{check.latency_ms:.2g}",
    }
