"""A `.tflite` model in memory: its bytes and the facts that a caller wants."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from tflite_export.folder import write_files
from tflite_export.graph import Graph, Tensor
from tflite_export.read import read


@dataclass(frozen=True)
class TFLiteModel:
    """What `convert` returns.

    Attributes:
        bytes: The `.tflite` file.
    """

    bytes: bytes

    @functools.cached_property
    def graph(self) -> Graph:
        """The file, read: tensors with their quantization, operators, signatures."""
        return read(self.bytes)

    @property
    def inputs(self) -> dict[str, Tensor]:
        """Input tensors by their name in the signature, in the model's order."""
        return self.graph.named("inputs")

    @property
    def outputs(self) -> dict[str, Tensor]:
        """Output tensors by their name in the signature, in the model's order."""
        return self.graph.named("outputs")

    def save(self, path) -> Path:
        """Writes the file and returns its path.

        Raises:
            OSError: If the folder cannot be written; nothing is left behind.
        """
        path = Path(path)
        write_files({path.name: self.bytes}, path.parent)
        return path

    def __repr__(self):
        """Size and interface, not the bytes."""
        ends = ", ".join(
            f"{side}={ {n: (t.dtype, t.shape) for n, t in self.graph.named(side).items()} }"
            for side in ("inputs", "outputs")
        )
        return f"TFLiteModel({len(self.bytes):,} bytes, {ends})"
