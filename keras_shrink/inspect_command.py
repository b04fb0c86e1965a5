"""`keras-shrink inspect`: what a `.tflite` is and needs, as tables, JSON or a page."""

import json
import sys

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
