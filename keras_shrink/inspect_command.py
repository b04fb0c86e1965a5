"""`keras-shrink inspect`: what a `.tflite` is and needs, as tables, JSON or a page."""

import json
import sys

from rich.console import Console


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
    print_summary(facts, Console())
    if html is not None:
        Console().print(f"wrote {html}")
