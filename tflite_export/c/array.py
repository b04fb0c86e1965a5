"""The `.tflite` as a C array for TensorFlow Lite Micro."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tflite_export.c.names import check_identifier
from tflite_export.errors import ModelError
from tflite_export.folder import write_files
from tflite_export.graph import Tensor
from tflite_export.read import read
from tflite_export.templates import render

ARENA_MARGIN = 1.1
_BYTES_PER_LINE = 16


@dataclass(frozen=True)
class TensorMacros:
    """What the header says of one input or output.

    Attributes:
        prefix: Start of the macros' names.
        shape: Batch included.
        dtype: As in the file.
        scale: float32 as the shortest text that reads back to it, None where not quantized.
        zero_point: Integer, None where not quantized.
    """

    prefix: str
    shape: tuple[int, ...]
    dtype: str
    elements: int
    scale: str | None
    zero_point: int | None


def write_c_array(tflite, name, folder, *, arena_bytes=None) -> list[Path]:
    """Writes `<name>.h` and `<name>.c` that hold the file as constant data, and returns their paths.

    The pair compiles without a warning as C99 and as C++11. The header has macros for the length,
    for shape, scale and zero point of each input and output, and for the size of the tensor arena:
    the smallest that TFLM starts with here plus a tenth. This host's pointers are 64 bits wide, a
    microcontroller's 32, so that a board needs less, not more.

    Args:
        tflite: Bytes, path, or what `convert` returned.
        name: A C identifier, which names the files, the array and (in capitals) the macros.
        folder: Where to write; made where it does not exist.
        arena_bytes: Size for the arena macro. Measured with TFLM by default.

    Raises:
        ValueError: If `name` is not a C identifier.
        ModelError: If the file cannot be read, or TFLM refuses it.
        OSError: If the folder cannot be written; nothing is left behind.

    Example:
    >>> write_c_array("model.tflite", "kws", "src")
    [PosixPath('src/kws.c'), PosixPath('src/kws.h')]
    """
    return list(write_files(render_c_array(tflite, name, arena_bytes=arena_bytes), folder))


def render_c_array(tflite, name, *, arena_bytes=None) -> dict[str, str]:
    """Returns what `write_c_array` writes: file name -> text."""
    check_identifier(name)
    graph = read(tflite)
    measured = None
    if arena_bytes is None:
        from tflite_export import tflm

        measured = tflm.measure_arena(graph).required_bytes
        arena_bytes = -(-int(measured * ARENA_MARGIN) // 16) * 16
    if arena_bytes <= 0:
        raise ValueError(f"arena_bytes must be positive. Received: arena_bytes={arena_bytes}.")
    facts = {
        "name": name,
        "prefix": name.upper(),
        "length": len(graph.content),
        "inputs": _macros(graph.inputs, f"{name.upper()}_INPUT"),
        "outputs": _macros(graph.outputs, f"{name.upper()}_OUTPUT"),
        "arena_bytes": arena_bytes,
        "measured": measured,
        "lines": _lines(graph.content),
    }
    return {f"{name}.{kind}": render(f"array.{kind}.j2", **facts) for kind in ("h", "c")}


def _macros(tensors: tuple[Tensor, ...], prefix: str) -> list[TensorMacros]:
    result = []
    for number, tensor in enumerate(tensors):
        params = tensor.quantization
        if params is not None and params.per_channel:
            raise ModelError(
                f"{tensor.name!r} is an input or output with a scale per channel, which TFLM has not."
            )
        result.append(
            TensorMacros(
                prefix if len(tensors) == 1 else f"{prefix}{number}",
                tensor.shape,
                tensor.dtype,
                tensor.size,
                None if params is None else float_literal(params.scale[0]),
                None if params is None else int(params.zero_point[0]),
            )
        )
    return result


def float_literal(value) -> str:
    """Returns the shortest C literal that reads back to the float32 `value`."""
    text = str(value.item() if value.dtype != "float32" else value)
    return f"{text}f" if any(c in text for c in ".en") else f"{text}.0f"


def _lines(content: bytes):
    return [
        ", ".join(f"0x{byte:02x}" for byte in content[start : start + _BYTES_PER_LINE])
        for start in range(0, len(content), _BYTES_PER_LINE)
    ]
