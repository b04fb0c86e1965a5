"""`keras-shrink inspect`: what a `.tflite` is and needs, as tables, JSON or a page."""

import json
import sys


def inspect_file(tflite, as_json, html, measure):
    """Prints the summary of a `.tflite`; with `html`, also writes a page."""
    from tflite_export.folder import write_files
    from tflite_export.summary import summary

    facts = summary(tflite, measure=measure)
    if html is not None:
        write_files({html.name: facts.to_html(tflite.name)}, html.parent)
    if as_json:
        sys.stdout.write(json.dumps(facts.to_dict(), indent=1) + "\n")
        return
    sys.stdout.write(str(facts))
    if html is not None:
        sys.stdout.write(f"wrote {html}\n")


def check_file(tflite, name, as_json) -> bool:
    """Prints whether a `.tflite` fits a board, or all boards; returns whether it fits one of them."""
    import dataclasses

    from tflite_export import tflm
    from tflite_export.devices import device, devices
    from tflite_export.errors import ModelError
    from tflite_export.preflight import check
    from tflite_export.read import read

    boards = list(devices().values()) if name == "all" else [device(name)]
    graph = read(tflite)
    try:
        arena = tflm.measure_arena(graph) if len(boards) > 1 else None
    except (ModelError, RuntimeError):
        arena = None  # every check then says why
    results = [check(graph, board, arena=arena) for board in boards]
    if as_json:
        facts = [{**dataclasses.asdict(r), "fits": r.fits} for r in results]
        sys.stdout.write(json.dumps(facts if name == "all" else facts[0], indent=1) + "\n")
    elif len(results) == 1:
        sys.stdout.write(f"{results[0]}\n")
    else:
        sys.stdout.write(_fit_table(results))
    return any(r.fits for r in results)


def _fit_table(results):
    from tflite_export.summary_text import table

    headings = ("board", "flash needed", "free", "RAM needed", "free", "ms (estimate)", "")
    rows = [
        (
            r.device.name,
            f"{r.flash_bytes:,}",
            f"{r.flash_available_bytes:,}",
            f"{r.ram_bytes:,}",
            f"{r.ram_available_bytes:,}",
            f"{r.latency_ms:,.0f}" if r.latency_ms >= 10 else f"{r.latency_ms:.2g}",
            "fits" if r.fits else _shortfall(r),
        )
        for r in results
    ]
    return table(headings, rows, right=(1, 2, 3, 4, 5))


def _shortfall(result):
    missing = []
    if result.flash_shortfall_bytes:
        missing.append(f"flash {result.flash_shortfall_bytes:,} too few")
    if result.ram_shortfall_bytes:
        missing.append(f"RAM {result.ram_shortfall_bytes:,} too few")
    return "; ".join(missing + [problem[:60] for problem in result.problems])
