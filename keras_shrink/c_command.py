"""`keras-shrink c`: a `.tflite` as standalone C."""

import re
from pathlib import Path

import rich.box
from rich.console import Console
from rich.table import Table


def write_c_files(tflite, name, output, self_test, strips, arena):
    """Writes the C of a model and prints what it takes."""
    from keras_shrink.search.limits import parse_size
    from tflite_export.c.emit import plan_program
    from tflite_export.c.render import constant_bytes
    from tflite_export.c.write import write_c
    from tflite_export.read import read

    graph = read(tflite)
    name = name or re.sub(r"\W", "_", Path(tflite).stem)
    plan = {"strips": strips, "arena_bytes": parse_size("arena", arena)}
    paths = write_c(graph, name, output, self_test=self_test, **plan)
    program = plan_program(graph, **plan)
    table = Table(box=rich.box.SIMPLE_HEAD, show_header=False)
    for label, value in (
        ("files", f"{len(paths)} in {output}"),
        ("kernels", ", ".join(program.kernels)),
        ("arena", f"{program.arena_bytes:,} bytes"),
        ("constants", f"{constant_bytes(program):,} bytes"),
        *_strips(program),
    ):
        table.add_row(label, value)
    Console().print(table)


def _strips(program):
    """What running in strips costs, where the program does."""
    if program.strips > 1:
        yield (
            "strips",
            f"{program.strips}: {program.repeated_work:.1%} of the first operators' work is repeated",
        )
