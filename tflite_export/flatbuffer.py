"""FlatBuffers tables read into dataclasses, with every offset checked before it is followed.

A table is described by a frozen dataclass whose fields stand in slot order; each annotation says how the
slot is stored. The same description serves the reader here and the writer in `flatbuffer_write`.
"""

from __future__ import annotations

import dataclasses
import functools
import struct
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from tflite_export.errors import ModelError

_UNPACK = {format_: struct.Struct("<" + format_).unpack_from for format_ in "?bBhHiIfqQd"}
_SIZES = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8, "d": 8}


@dataclass(frozen=True)
class Scalar:
    """A number stored in the table itself; `format` is the code of `struct`."""

    format: str


@dataclass(frozen=True)
class Name:
    """A number stored in the table that stands for one of `names`, by position."""

    what: str
    names: tuple[str, ...]
    format: str = "b"


@dataclass(frozen=True)
class Vector:
    """Numbers, read as an array that shares the file's memory (an empty one where absent)."""

    format: str
    alignment: int = 4


@dataclass(frozen=True)
class Items:
    """A few numbers, read as a tuple; `required` ones are written even where there are none."""

    format: str
    required: bool = False


@dataclass(frozen=True)
class Text:
    """A string, read as `str` or, where `raw` is set, as the bytes of the file."""

    raw: bool = False


@dataclass(frozen=True)
class Child:
    """One table; `None` where absent."""

    table: type


@dataclass(frozen=True)
class Children:
    """A vector of tables, read as a tuple; `required` ones are written even where there are none."""

    table: type
    required: bool = False


@dataclass(frozen=True)
class Choice:
    """A union: two slots, of which the first says what kind of table the second is."""

    what: str
    tables: Any


@dataclass(frozen=True)
class Empty:
    """A table without fields."""


@dataclass(frozen=True)
class Chosen:
    """The value of a union: the stored type and the table, `None` where its layout is not known."""

    type: int
    table: Any


Int8 = Annotated[int, Scalar("b")]
Uint8 = Annotated[int, Scalar("B")]
Int32 = Annotated[int, Scalar("i")]
Uint32 = Annotated[int, Scalar("I")]
Int64 = Annotated[int, Scalar("q")]
Uint64 = Annotated[int, Scalar("Q")]
Float32 = Annotated[float, Scalar("f")]
Bool = Annotated[bool, Scalar("?")]
Str = Annotated[str, Text()]
Raw = Annotated[bytes, Text(raw=True)]
Int32s = Annotated[tuple[int, ...], Items("i")]
RequiredInt32s = Annotated[tuple[int, ...], Items("i", required=True)]
Float32s = Annotated[tuple[float, ...], Items("f")]
Bytes = Annotated[np.ndarray | None, Vector("B")]
Data = Annotated[np.ndarray | None, Vector("B", alignment=16)]
Uint16Array = Annotated[np.ndarray | None, Vector("H")]
Int32Array = Annotated[np.ndarray | None, Vector("i")]
Int64Array = Annotated[np.ndarray | None, Vector("q")]
Float32Array = Annotated[np.ndarray | None, Vector("f")]


@functools.cache
def layout(table: type) -> tuple[tuple[str, int, Any, Any], ...]:
    """Returns `(field, slot, kind, default)` for each field of a table's dataclass."""
    hints = table.__annotations__  # the modules that describe tables keep them as objects
    rows, slot = [], 0
    for field in dataclasses.fields(table):
        kind = hints[field.name].__metadata__[0]
        rows.append((field.name, slot, kind, field.default))
        slot += 2 if isinstance(kind, Choice) else 1
    return tuple(rows)


@functools.cache
def _reading(table: type) -> tuple[tuple[tuple[str, int, Any], ...], dict[str, Any], int]:
    """Returns fields, what they are where absent, and the number of slots known."""
    rows = layout(table)
    absent = {
        name: np.zeros(0, np.dtype(kind.format)) if isinstance(kind, Vector) else default
        for name, _, kind, default in rows
    }
    known = rows[-1][1] + (2 if isinstance(rows[-1][2], Choice) else 1) if rows else 0
    return tuple((name, slot, kind) for name, slot, kind, _ in rows), absent, known


class Reader:
    """Reads tables out of bytes that nobody has vouched for.

    Every table is read once however often it is referred to, and the number of tables and vector entries is
    bounded by the size of the file, so neither a cycle nor a crowd of overlapping vectors can make it work
    longer than an honest file of the same size would.
    """

    def __init__(self, content: bytes):
        """Takes the whole file."""
        self.content = content
        self.end = len(content)
        self.unknown_slots = False
        self._seen: dict[tuple[int, type], Any] = {}
        self._vtables: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._left = self.end // 4 + 64

    def root(self, table: type) -> Any:
        """Returns the root table."""
        return self.table(self._number("I", 0), table)

    def table(self, position: int, table: type) -> Any:
        """Returns the table that starts at `position` as an instance of `table`."""
        key = (position, table)
        if key in self._seen:
            return self._seen[key]
        self._spend(1)
        size, slots = self._vtable(position)
        rows, absent, known = _reading(table)
        values = dict(absent)
        count = len(slots)
        for name, slot, kind in rows:
            if slot >= count:
                break
            if isinstance(kind, Choice):
                values[name] = self._choice(position, size, slots[slot : slot + 2], kind)
            elif slots[slot]:
                values[name] = self._field(position, size, slots[slot], kind)
        if count > known and any(slots[known:]):
            self.unknown_slots = True
        result: Any = object.__new__(table)  # the tables have no checks of their own
        result.__dict__.update(values)
        self._seen[key] = result
        return result

    def _spend(self, amount):
        self._left -= amount
        if self._left < 0:
            raise ModelError(
                f"the file refers to more tables than its {self.end} bytes can hold; "
                "it is damaged or was made to exhaust memory."
            )

    def _number(self, format_, position):
        if position < 0 or position + _SIZES[format_] > self.end:
            raise ModelError(
                f"the file is truncated or damaged: it points to byte {position}, "
                f"but ends at byte {self.end}."
            )
        return _UNPACK[format_](self.content, position)[0]

    def _vtable(self, position):
        """Returns the size of the table and its slots' offsets, all inside the table."""
        start = position - self._number("i", position)
        if start not in self._vtables:
            size, table_size = self._number("H", start), self._number("H", start + 2)
            if size < 4 or size % 2 or start + size > self.end:
                raise ModelError(
                    f"the file is damaged: the table layout at byte {start} is {size} bytes long."
                )
            slots = struct.unpack_from(f"<{size // 2 - 2}H", self.content, start + 4)
            self._vtables[start] = table_size, slots
        table_size, slots = self._vtables[start]
        if position + table_size > self.end:
            raise ModelError(
                f"the file is truncated or damaged: the table at byte {position} needs {table_size} bytes, "
                f"but the file ends at byte {self.end}."
            )
        return table_size, slots

    def _field(self, position, table_size, offset, kind):
        format_ = kind.format if isinstance(kind, (Scalar, Name)) else "I"
        if offset < 4 or offset + _SIZES[format_] > table_size:
            raise ModelError(f"the file is damaged: a field of the table at byte {position} lies outside it.")
        value = self._number(format_, position + offset)
        if isinstance(kind, Scalar):
            return value
        if isinstance(kind, Name):
            if not 0 <= value < len(kind.names):
                raise ModelError(
                    f"unknown {kind.what}. Received: {value}, the format defines 0 to {len(kind.names) - 1}."
                )
            return kind.names[value]
        return self._reference(position + offset + value, kind)

    def _reference(self, target, kind):
        if isinstance(kind, Child):
            return self.table(target, kind.table)
        count = self._number("I", target)
        start = target + 4
        width = (
            _SIZES[kind.format] if isinstance(kind, Vector | Items) else 1 if isinstance(kind, Text) else 4
        )
        if start + count * width > self.end:
            raise ModelError(
                f"the file is truncated or damaged: a vector at byte {target} claims {count} elements of "
                f"{width} bytes, but the file ends at byte {self.end}."
            )
        if isinstance(kind, Vector):
            return np.frombuffer(self.content, np.dtype(kind.format).newbyteorder("<"), count, start)
        if isinstance(kind, Items):
            self._spend(count * width // 4)
            return struct.unpack_from(f"<{count}{kind.format}", self.content, start)
        if isinstance(kind, Text):
            self._spend(count // 4)
            raw = bytes(self.content[start : start + count])
            return raw if kind.raw else raw.decode("utf-8", "replace")
        self._spend(count)
        offsets = struct.unpack_from(f"<{count}I", self.content, start)
        return tuple(self.table(start + 4 * i + offset, kind.table) for i, offset in enumerate(offsets))

    def _choice(self, position, table_size, slots, kind):
        if not slots or not slots[0]:
            return Chosen(0, None)
        which = self._field(position, table_size, slots[0], Scalar("B"))
        table = kind.tables.get(which)
        if which == 0 or table is None or len(slots) < 2 or not slots[1]:
            return Chosen(which, None)
        return Chosen(which, self._field(position, table_size, slots[1], Child(table)))
