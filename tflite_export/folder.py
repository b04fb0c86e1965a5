"""Writing several files into a folder: all of them or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_files(files: Mapping[str, str | bytes], folder) -> tuple[Path, ...]:
    """Writes files into a folder and returns their paths, sorted.

    Everything is first written to a temporary folder beside it and then moved; when a move fails, what
    was there before is put back.

    Args:
        files: Relative path -> content.
        folder: Created where it does not exist.

    Raises:
        OSError: If the folder cannot be made or written.

    Example:
    >>> import tempfile
    >>> from tflite_export.folder import write_files
    >>> [path.name for path in write_files({"b.txt": "b", "a.txt": "a"}, tempfile.mkdtemp())]
    ['a.txt', 'b.txt']
    """
    folder = Path(folder)
    try:
        return _write_all(files, folder)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            f"Cannot write into the folder {str(folder)!r}: {reason}. Choose another one."
        ) from error


def _write_all(files, folder):
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder if folder.is_dir() else folder.parent
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=beside) as scratch:
        fresh, old = Path(scratch, "new"), Path(scratch, "old")
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        existed = folder.exists()
        moved: list[str] = []
        try:
            for name in files:
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists():
                    (old / name).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(target, old / name)
                moved.append(name)
                os.replace(fresh / name, target)
        except BaseException:
            for name in moved:
                (folder / name).unlink(missing_ok=True)
                if (old / name).exists():
                    os.replace(old / name, folder / name)
            if not existed:
                shutil.rmtree(folder, ignore_errors=True)
            raise
    return tuple(sorted(folder / name for name in files))
