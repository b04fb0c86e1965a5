"""Writing a file so that it is there whole or not at all, whenever the process is killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path, write: Callable[[Path], object]) -> None:
    """Lets `write` write a file beside `path`, which then takes its place; what is there stays until then.

    Args:
        path: What to write. Its folder exists.
        write: Function of the path of the file beside it, which has the same ending.

    Example:
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "note.txt")
    >>> write_whole(path, lambda waiting: waiting.write_text("all of it"))
    >>> path.read_text()
    'all of it'
    """
    path = Path(path)
    waiting = path.with_name(f"{path.stem}.waiting{path.suffix}")
    try:
        write(waiting)
        os.replace(waiting, path)
    finally:
        waiting.unlink(missing_ok=True)
