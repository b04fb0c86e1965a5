"""SLICE and STRIDED_SLICE."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, emits
from tflite_export.c.strided import copy_strided, indices


@emits("SLICE", reads=(0,))
def slice_(node):
    """Returns the copy of a box."""
    return _copy(node, box(node))


@emits("STRIDED_SLICE", reads=(0,))
def strided_slice(node):
    """Returns the copy of a box with steps, which may be negative."""
    return _copy(node, strided_box(node))


def box(node):
    """Returns the index, as Python means it, of what a SLICE takes."""
    begin = [int(v) for v in np.reshape(node.required(1, "begin"), -1)]
    size = [int(v) for v in np.reshape(node.required(2, "size"), -1)]
    return tuple(slice(b, None if s < 0 else b + s) for b, s in zip(begin, size, strict=True))


def strided_box(node):
    """Returns the index, as Python means it, of what a STRIDED_SLICE takes."""
    source, options = node.input(0), node.options
    if options.ellipsis_mask or options.new_axis_mask:
        raise UnsupportedError("an ellipsis or a new axis")
    begin, end, strides = (
        [int(v) for v in np.reshape(node.required(p, name), -1)]
        for p, name in ((1, "begin"), (2, "end"), (3, "strides"))
    )
    if options.offset:
        end = [b + e for b, e in zip(begin, end, strict=True)]
    taken = []
    for d, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        if options.shrink_axis_mask >> d & 1:
            taken.append(slice(first, first + 1 or None))
        else:
            taken.append(
                slice(
                    None if options.begin_mask >> d & 1 else first,
                    None if options.end_mask >> d & 1 else _stop(last, source.shape[d], step),
                    step,
                )
            )
    return tuple(taken)


def _stop(last, size, step):
    """The end as Python means it: a negative one counts from the back, and going down it may lie before 0."""
    if step < 0 and last < -size:
        return None
    return last


def _copy(node, index):
    source, target = node.input(0), node.output()
    taken = indices(source.shape)[index]
    if taken.size != target.size:
        raise UnsupportedError(f"a slice of shape {taken.shape} for an output of shape {target.shape}")
    return copy_strided(node, source, taken, target, indices(target.shape).reshape(taken.shape))
