"""Writes a set of files: all of them or none."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_files(folder, contents: Mapping[str, str | bytes]) -> list[Path]:
    """Writes `contents` (path below `folder` -> text or bytes) and returns the paths.

    Every file is first written whole beside its place and then moved there, so that an error leaves
    neither a half-written file nor a part of the set.

    Raises:
        OSError: If the folder cannot be made or written; it names the folder.
    """
    folder = Path(folder)
    staged: list[tuple[str, Path]] = []
    try:
        for name, content in contents.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                raise IsADirectoryError(f"is a directory: {target}")
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            staged.append((temporary, target))
            with os.fdopen(handle, "wb") as stream:
                stream.write(content.encode() if isinstance(content, str) else content)
            os.chmod(temporary, 0o644)
        for temporary, target in staged:
            os.replace(temporary, target)
    except OSError as error:
        for temporary, _ in staged:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        reason = error.strerror or error
        raise OSError(f"Cannot write into the folder {str(folder)!r}: {reason}. Choose another one.") from error
    return [target for _, target in staged]
