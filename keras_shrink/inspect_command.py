"""`keras-shrink inspect`: what a `.tflite` is and needs, as tables, JSON or a page."""

import json
import sys

import rich.box
from rich.console import Console

_FILE_COLUMNS = 110


def inspect_file(tflite, as_json, html, measure):
    """Prints the summary of a `.tflite`; with `html`, also writes a page."""
    from tflite_export.folder import write_files
    from tflite_export.summary import summary
    from tflite_export.summary_text import print_summary

    facts = summary(tflite, measure=measure)
    if html is not None:
        write_files({html.name: facts.to_html(tflite.name)}, html.parent)
    if as_json:
        sys.stdout.write(json.dumps(facts.to_dict(), indent=1) + "\n")
        return
    console = Console() if sys.stdout.isatty() else Console(width=_FILE_COLUMNS)
    print_summary(facts, console)
    if html is not None:
        console.print(f"wrote {html}")


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
        Console(width=_FILE_COLUMNS).print(_fit_table(results))
    return any(r.fits for r in results)


def _fit_table(results):
    from rich.table import Table

    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("board", no_wrap=True)
    for heading in ("flash needed", "free", "RAM needed", "free", "ms (estimate)"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for r in results:
        table.add_row(
            r.device.name,
            f"{r.flash_bytes:,}",
            f"{r.flash_available_bytes:,}",
            f"{r.ram_bytes:,}",
            f"{r.ram_available_bytes:,}",
            f"{r.latency_ms:,.0f}" if r.latency_ms >= 10 else f"{r.latency_ms:.2g}",
            "fits" if r.fits else _shortfall(r),
        )
    return table


def _shortfall(result):
    missing = []
    if result.flash_shortfall_bytes:
        missing.append(f"flash {result.flash_shortfall_bytes:,} too few")
    if result.ram_shortfall_bytes:
        missing.append(f"RAM {result.ram_shortfall_bytes:,} too few")
    return "; ".join(missing + [problem[:60] for problem in result.problems])
