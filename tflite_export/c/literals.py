"""Numbers, structs and constant arrays as C text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tflite_export.c.program import Constant


@dataclass
class Arrays:
    """Constant arrays by content: what two operators share is stored once."""

    prefix: str
    names: dict = field(default_factory=dict)
    lines: list = field(default_factory=list)

    def name(self, constant, step):
        """The C name of a constant, declared when first seen."""
        values = np.ascontiguousarray(np.asarray(constant.values).reshape(-1))
        key = constant.ctype, constant.align, values.dtype.str, values.tobytes()
        if key not in self.names:
            self.names[key] = f"{self.prefix}_{step}_{constant.role}"
            taken = list(self.names.values()).count(self.names[key])
            if taken > 1:
                self.names[key] += f"_{taken}"
            align = f" TE_ALIGNED({constant.align})" if constant.align else ""
            self.lines.append(
                f"static const {constant.ctype} {self.names[key]}[{values.size}]{align} = {{\n"
                f"{c_numbers(values, constant.ctype)}\n}};\n"
            )
        return self.names[key]


def c_value(value, arrays, label):
    """Returns the initializer of a struct's field: a number, an array's name, a list or a struct of them."""
    if isinstance(value, Constant):
        return arrays.name(value, label)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f".{k} = {c_value(v, arrays, label)}" for k, v in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        return "{" + ", ".join(c_value(v, arrays, label) for v in value) + "}"
    if isinstance(value, (float, np.floating)):
        return c_float(value)
    return _c_integer(int(value))


def _c_integer(value):
    if value == -(1 << 31):
        return "(-2147483647 - 1)"
    if value == -(1 << 63):
        return "(-9223372036854775807 - 1)"
    return str(value)


def c_float(value):
    """Returns a float literal that reads back to the same float32.

    Example:
    >>> from tflite_export.c.literals import c_float
    >>> c_float(0.1)
    '0.100000001f'
    """
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if any(c in text for c in ".en") else f"{text}.0f"


def c_numbers(values, ctype, width=108):
    """Comma-separated values in lines of at most `width` characters."""
    if ctype == "float":
        words = [c_float(v) for v in values]
    elif ctype == "uint32_t":
        words = [f"0x{int(v):x}u" if int(v) > 0xFFFF else str(int(v)) for v in values]
    else:
        words = [_c_integer(int(v)) for v in values]
    lines, line = [], "   "
    for word in words:
        if len(line) + len(word) + 2 > width:
            lines.append(line)
            line = "   "
        line += f" {word},"
    return "\n".join([*lines, line])
