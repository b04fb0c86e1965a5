"""CONCATENATION and PACK: one copy for each input."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, emits
from tflite_export.c.strided import copy_strided, indices


@emits("CONCATENATION")
def concatenation(node):
    """Returns a copy for each input; scales must agree, as TFLM requires."""
    if node.options.fused_activation_function != "NONE":
        raise UnsupportedError(f"a fused {node.options.fused_activation_function}")
    axis = node.options.axis % len(node.output().shape)
    return _side_by_side(node, axis, lambda view, shape: view)


@emits("PACK")
def pack(node):
    """Returns a copy for each input, stacked along a new dimension."""
    axis = node.options.axis % len(node.output().shape)
    return _side_by_side(node, axis, lambda view, shape: view.reshape((*shape[:axis], 1, *shape[axis:])))


def _side_by_side(node, axis, shaped):
    target = node.output()
    whole = indices(target.shape)
    calls, start = [], 0
    for position in range(len(node.op.inputs)):
        source = node.input(position)
        if source.dtype != target.dtype or not _same_scale(source, target):
            raise UnsupportedError(f"input {position} has another type or scale than the output")
        taken = shaped(indices(source.shape), source.shape)
        extent = taken.shape[axis]
        placed = whole[(slice(None),) * axis + (slice(start, start + extent),)]
        if taken.size:
            calls.append(copy_strided(node, source, taken, target, placed))
        start += extent
    return calls


def _same_scale(a, b):
    if a.quantization is None or b.quantization is None or a.dtype not in ("int8", "uint8"):
        return True
    same = np.array_equal(a.quantization.scale, b.quantization.scale)
    return same and np.array_equal(a.quantization.zero_point, b.quantization.zero_point)
