"""Files attached to the end of a `.tflite`, where its metadata keeps labels and vocabularies."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping

from tflite_export.errors import ModelError

_MOST_BYTES = 64 << 20
_MOST_FILES = 1000


def attached_files(content: bytes) -> dict[str, bytes]:
    """Returns the files in the archive behind a model, by name; empty where there is none.

    Raises:
        ModelError: If there is an archive that is damaged or unpacks to more than 64 MiB.
    """
    source = io.BytesIO(content)
    if not zipfile.is_zipfile(source):
        return {}
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise ModelError("the files attached to the model are too many or too large.")
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"the files attached to the model are damaged: {error}.") from error


def attach_files(content: bytes, files: Mapping[str, bytes]) -> bytes:
    """Returns a model, itself without attachments, with files attached; equal files give equal bytes."""
    if not files:
        return content
    target = io.BytesIO(content)
    with zipfile.ZipFile(target, "a") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return target.getvalue()
