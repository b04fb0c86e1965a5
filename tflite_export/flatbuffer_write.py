"""Tables written back as a FlatBuffers file, every vector, string and table that occurs twice only once."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from tflite_export.flatbuffer import Child, Children, Choice, Items, Name, Scalar, Text, layout

_SIZES = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8, "d": 8}
_FILE_ALIGNMENT = 16


def write(root: Any, identifier: bytes) -> bytes:
    """Returns the file whose root table is a dataclass described in slot order.

    Fields that hold their default are left out, as the format has it. Vectors keep the alignment their
    description asks for, relative to the start of the file.

    Args:
        root: The root table, read by `flatbuffer.Reader` or made by hand.
        identifier: Four bytes that say what kind of file it is.

    Example:
    >>> from tflite_export.schema import IDENTIFIER, ModelTable
    >>> len(write(ModelTable(version=3), IDENTIFIER)) % 16
    0
    """
    writer = _Writer()
    return writer.finish(writer.table(root), identifier)


class _Writer:
    """Builds the file from its end to its beginning, so that what is referred to is there before.

    Positions count from the end of the file; the start of an object lies at its position.
    """

    def __init__(self):
        self.chunks = []
        self.size = 0
        self.known = {}

    def table(self, table):
        """Returns the position of a table, writing it and what it refers to where they are new."""
        fields = []  # slot, format, value or position
        for name, slot, kind, default in layout(type(table)):
            value = getattr(table, name)
            if isinstance(kind, Choice):
                if value.type:
                    fields.append((slot, "B", value.type, False))
                if value.type and value.table is not None:
                    fields.append((slot + 1, "I", self.table(value.table), True))
            else:
                fields.extend(self._field(slot, kind, value, default))
        return self._place_table(fields)

    def finish(self, root, identifier):
        """Returns the whole file with its header."""
        padding = -(self.size + 8) % _FILE_ALIGNMENT
        total = self.size + padding + 8
        header = struct.pack("<I", total - root) + identifier + bytes(padding)
        return b"".join([header, *reversed(self.chunks)])

    def _field(self, slot, kind, value, default):
        if isinstance(kind, Scalar):
            return [] if value == default else [(slot, kind.format, value, False)]
        if isinstance(kind, Name):
            return [] if value == default else [(slot, kind.format, kind.names.index(value), False)]
        if value is None or (not isinstance(kind, Child) and not len(value) and not _is_required(kind)):
            return []
        return [(slot, "I", self._target(kind, value), True)]

    def _target(self, kind, value):
        if isinstance(kind, Child):
            return self.table(value)
        if isinstance(kind, Children):
            return self._references([self.table(child) for child in value])
        if isinstance(kind, Text):
            raw = value if kind.raw else value.encode()
            return self._vector(struct.pack("<I", len(raw)) + raw + b"\0", 4, 4)
        if isinstance(kind, Items):
            raw = struct.pack(f"<{len(value)}{kind.format}", *value)
            return self._vector(struct.pack("<I", len(value)) + raw, 4, 4)
        array = np.ascontiguousarray(value, np.dtype(kind.format).newbyteorder("<"))
        alignment = max(kind.alignment, array.itemsize, 4)
        return self._vector(struct.pack("<I", array.size) + array.tobytes(), alignment, 4)

    def _vector(self, raw, alignment, prefix):
        """Returns the position of a vector whose elements, after `prefix` bytes, are aligned."""
        key = (raw, alignment)
        if key not in self.known:
            self._pad_for(len(raw) - prefix, alignment)
            self.known[key] = self._push(raw)
        return self.known[key]

    def _references(self, positions):
        key = ("references", tuple(positions))
        if key not in self.known:
            self._pad_for(4 * len(positions), 4)
            start = self.size + 4 * len(positions)  # position of the first reference
            raw = struct.pack(f"<{len(positions)}I", *(start - 4 * i - p for i, p in enumerate(positions)))
            self.known[key] = self._push(struct.pack("<I", len(positions)) + raw)
        return self.known[key]

    def _place_table(self, fields):
        """Returns the position of a table whose fields' targets have been written."""
        key = ("table", tuple(fields))
        if key in self.known:
            return self.known[key]
        offsets, end = {}, 4
        for slot, format_, _, _ in sorted(fields, key=lambda f: -_SIZES[f[1]] if _SIZES[f[1]] <= 4 else 1):
            end = -(-end // _SIZES[format_]) * _SIZES[format_]
            offsets[slot] = end
            end += _SIZES[format_]
        alignment = max([4, *(_SIZES[format_] for _, format_, _, _ in fields)])
        self._pad_for(end, alignment)
        position = self.size + end
        raw = bytearray(end)
        for slot, format_, value, is_reference in fields:
            offset = offsets[slot]
            stored = position - offset - value if is_reference else value
            struct.pack_into("<" + format_, raw, offset, stored)
        slots = [offsets.get(slot, 0) for slot in range(max(offsets, default=-1) + 1)]
        vtable = struct.pack(f"<{len(slots) + 2}H", 2 * len(slots) + 4, end, *slots)
        known = self.known.get(("vtable", vtable))
        # A new vtable goes right in front of its table; the stored number is table minus vtable.
        struct.pack_into("<i", raw, 0, (position + len(vtable) if known is None else known) - position)
        self._push(bytes(raw))
        self.known[key] = position
        if known is None:
            self.known["vtable", vtable] = self._push(vtable)
        return position

    def _pad_for(self, length, alignment):
        """Adds zeros so that `length` more bytes begin on the alignment."""
        padding = -(self.size + length) % alignment
        if padding:
            self._push(bytes(padding))

    def _push(self, raw):
        self.chunks.append(raw)
        self.size += len(raw)
        return self.size


def _is_required(kind):
    """Says whether a field is written though it is empty; runtimes follow some without asking."""
    return getattr(kind, "required", False)
