"""`write_c`: a model as C files in a folder, all of them or none."""

from __future__ import annotations

import re
from pathlib import Path

from tflite_export.c.emit import plan_program
from tflite_export.c.names import check_identifier
from tflite_export.c.render import render_header, render_source
from tflite_export.c.self_test import expected
from tflite_export.folder import write_files
from tflite_export.read import read

RUNTIME = Path(__file__).parent / "runtime"


def write_c(tflite, name, folder, *, self_test=True, strips=1, arena_bytes=None):
    """Writes a model as standalone C99 and returns the paths written.

    `<name>.h` and `<name>.c` hold the constants and the sequence of calls, the other files the kernels
    that this model uses. There is no heap, no stdio and no interpreter; the outputs are those of TensorFlow
    Lite Micro, bit for bit. Existing files of the same names are replaced.

    Args:
        tflite: Bytes, a path, or what `convert` returned.
        name: Prefix of everything public, a C identifier.
        folder: Created where it does not exist.
        self_test: Adds a self-test, compiled with `<NAME>_SELF_TEST` defined, whose expected outputs come
            from TensorFlow Lite Micro. It is left out on machines without the `tflite-micro` package.
        strips: With more than 1, the first operators run in so many strips of rows where that makes the
            arena smaller. Rows that two strips need are computed twice; the header says how much that is.
        arena_bytes: How large the arena may become so that 4-bit weights stay packed in flash. With None it
            grows by an eighth of the flash saved at most.

    Returns:
        Tuple of `pathlib.Path`, sorted.

    Raises:
        ModelError: If the model cannot be read, or holds what no kernel supports; nothing is written.
        ValueError: If `name` is not an identifier, or a number is not positive.

    Example:
    >>> import tempfile
    >>> from tflite_export.c.write import write_c
    >>> write_c(b"", "kws", tempfile.mkdtemp())
    Traceback (most recent call last):
        ...
    tflite_export.errors.ModelError: not a .tflite file: it is 0 bytes long and too short for a header.
    """
    source = render_c(tflite, name, self_test=self_test, strips=strips, arena_bytes=arena_bytes)
    return write_files(source, folder)


def render_c(tflite, name, *, self_test=True, strips=1, arena_bytes=None):
    """Returns what `write_c` writes: file name -> text.

    Args:
        tflite: Bytes, a path, or what `convert` returned.
        name: Prefix of everything public, a C identifier.
        self_test: Adds a self-test where TensorFlow Lite Micro is installed.
        strips: In how many strips of rows the first operators may run.
        arena_bytes: How large the arena may become so that 4-bit weights stay packed.

    Example:
    >>> from tflite_export.c.write import render_c
    >>> render_c(b"", "1st")
    Traceback (most recent call last):
        ...
    ValueError: name must be a C identifier: letters, digits and underscores, a letter first. \
Received: name='1st'. For example: kws_model.
    """
    check_identifier(name)
    graph = read(tflite)
    program = plan_program(graph, strips=strips, arena_bytes=arena_bytes)
    test = expected(program, graph.content) if self_test else None
    files = runtime_files(("compiler", *program.kernels))
    if f"{name}.h" in files or f"{name}.c" in files:
        raise ValueError(
            f"name must differ from the kernels' names: {', '.join(program.kernels)}. Received: {name=}."
        )
    files[f"{name}.h"] = render_header(program, name, _version(), test)
    files[f"{name}.c"] = render_source(program, name, test)
    return dict(sorted(files.items()))


def runtime_files(stems):
    """Returns the runtime's files for kernels, with everything they include: file name -> text.

    Args:
        stems: Names without extension.

    Example:
    >>> from tflite_export.c.write import runtime_files
    >>> sorted(runtime_files(["max_pool_2d_int8"]))
    ['compiler.h', 'fixed_point.h', 'max_pool_2d_int8.c', 'max_pool_2d_int8.h']
    """
    files: dict[str, str] = {}
    waiting = [f"{stem}{suffix}" for stem in stems for suffix in (".h", ".c")]
    while waiting:
        file = waiting.pop()
        if file in files or not (RUNTIME / file).is_file():
            continue
        files[file] = (RUNTIME / file).read_text(encoding="utf-8")
        for included in re.findall(r'^\s*#\s*include "(\w+)\.h"', files[file], re.MULTILINE):
            waiting += [f"{included}.h", f"{included}.c"]
    return files


def _version():
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("keras-shrink")
    except PackageNotFoundError:
        return "0"
