"""Strips of rows of a tensor: the same memory, from some byte on."""

from tflite_export.c.emit import emits
from tflite_export.c.program import Alias
from tflite_export.c.strips import JOIN, ROWS


@emits(ROWS)
def rows_of(node):
    """Returns an alias for each strip of the input."""
    (whole,) = node.op.inputs
    places = zip(node.op.outputs, node.options.starts, strict=True)
    return [Alias(part, whole, start) for part, start in places]


@emits(JOIN)
def join_rows(node):
    """Returns an alias for each strip that the output is made of."""
    (whole,) = node.op.outputs
    places = zip(node.op.inputs, node.options.starts, strict=True)
    return [Alias(part, whole, start) for part, start in places]
