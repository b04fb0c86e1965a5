"""Operators that only move elements: views of index arrays, turned into strided copies."""

from __future__ import annotations

import numpy as np

from tflite_export.c.emit import UnsupportedError, element_bytes
from tflite_export.c.program import Call, Constant, Operand, Overlap

LOOPS = 5


def indices(shape):
    """Returns the element numbers of an array of a shape; views of it say what an operator moves."""
    return np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.int64).reshape(shape)


def copy_strided(node, source, taken, target, placed):
    """Returns the call that copies what `taken` shows of the input to where `placed` shows in the output.

    Args:
        node: The operator.
        source: Tensor that is read.
        taken: View of `indices(source.shape)`.
        target: Tensor that is written.
        placed: View of `indices(target.shape)`, of the same shape as `taken`.
    """
    width = element_bytes(target)
    taken, placed = np.atleast_1d(taken), np.atleast_1d(placed)
    loops = _merged(taken, placed)
    unit = width
    if loops and loops[-1][1:] == (1, 1):
        unit = width * loops.pop()[0]
    if len(loops) > LOOPS:
        raise UnsupportedError(f"a movement of elements that takes more than {LOOPS} loops")
    loops = [(1, 0, 0)] * (LOOPS - len(loops)) + loops
    params = {
        "extent": tuple(e for e, _, _ in loops),
        "input_step": tuple(a * width for _, a, _ in loops),
        "output_step": tuple(b * width for _, _, b in loops),
        "unit": unit,
    }
    read, write = int(taken.flat[0]) * width, int(placed.flat[0]) * width
    values = node.constant_of(source.index)
    operand = Operand(source.index, "int8_t", read)
    if values is not None:
        operand = Constant("input", "int8_t", np.ascontiguousarray(values).view(np.int8).reshape(-1)[read:])
    overlaps = ()
    if (
        source.index != target.index
        and placed.size == target.size
        and np.all(np.diff(placed.reshape(-1)) > 0)
    ):
        overlaps = (Overlap(0, 0, _distance(taken.reshape(-1), width)),)
    return Call(
        "copy_strided_int8", params, (operand,), (Operand(target.index, "int8_t", write),), 0, overlaps
    )


def _merged(taken, placed):
    """Loops as (extent, input step, output step) in elements, with those that continue each other joined."""
    loops: list[tuple[int, int, int]] = []
    for extent, a, b in zip(taken.shape, taken.strides, placed.strides, strict=True):
        a, b = a // taken.itemsize, b // placed.itemsize
        if extent == 1:
            continue
        if loops and loops[-1][1] == extent * a and loops[-1][2] == extent * b:
            loops[-1] = (loops[-1][0] * extent, a, b)
        else:
            loops.append((extent, a, b))
    return loops


def _distance(taken, width):
    """Bytes by which the input must start after an output that is written in order."""
    later = np.minimum.accumulate(taken[::-1])[::-1]
    position = np.arange(taken.size)
    own = position - taken
    following = position[1:] - later[1:]
    return int(max(own.max(initial=0), following.max(initial=0))) * width
