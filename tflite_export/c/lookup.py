"""Operators on 8-bit values one by one: a table of 256 entries, whatever the function."""

from __future__ import annotations

import numpy as np

from tflite_export.c.emit import UnsupportedError
from tflite_export.c.program import Alias, Call, Constant, Operand
from tflite_export.fixed_point import LIMITS


def lookup(node, function):
    """Returns the call that maps each element of input 0 through a table, or an alias for the identity.

    Args:
        node: An operator with one 8-bit input and one 8-bit output.
        function: int64 array of every input value -> output values, in any range; they are saturated.
    """
    source, target = node.input(0), node.output()
    for tensor in (source, target):
        if tensor.dtype not in ("int8", "uint8"):
            raise UnsupportedError(f"tensors of type {tensor.dtype}")
    table = lookup_table(function, source.dtype, target.dtype)
    if np.array_equal(table, np.arange(256)) and source.dtype == target.dtype:
        return Alias(target.index, source.index)
    params = {"count": target.size, "table": Constant("table", "uint8_t", table)}
    inputs = (Operand(source.index, "uint8_t"),)
    return Call(
        "lookup_int8", params, inputs, (Operand(target.index, "uint8_t"),), overlaps=node.elementwise(0)
    )


def lookup_table(function, source="int8", target="int8"):
    """Returns the output's bytes for each value of the input's byte.

    Example:
    >>> from tflite_export.c.lookup import lookup_table
    >>> int(lookup_table(lambda x: 2 * x)[100])
    127
    """
    values = np.arange(256, dtype=np.uint8).view(source).astype(np.int64)
    low, high = LIMITS[target]
    return np.clip(np.asarray(function(values)), low, high).astype(target).view(np.uint8)
