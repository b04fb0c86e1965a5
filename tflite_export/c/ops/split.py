"""SPLIT, SPLIT_V and UNPACK: one copy for each output."""

import numpy as np

from tflite_export.c.emit import emits
from tflite_export.c.strided import copy_strided, indices


@emits("SPLIT", reads=(1,))
def split(node):
    """Returns a copy for each of the equal parts."""
    source = node.input(1)
    axis = int(np.reshape(node.required(0, "axis"), -1)[0]) % len(source.shape)
    return _parts(node, source, axis)


@emits("SPLIT_V", reads=(0,))
def split_v(node):
    """Returns a copy for each part; the outputs' shapes say how long they are."""
    source = node.input(0)
    axis = int(np.reshape(node.required(2, "axis"), -1)[0]) % len(source.shape)
    return _parts(node, source, axis)


@emits("UNPACK")
def unpack(node):
    """Returns a copy for each slice."""
    source = node.input(0)
    axis = node.options.axis % len(source.shape)
    whole = indices(source.shape)
    return [
        copy_strided(
            node, source, whole[(slice(None),) * axis + (i,)], node.output(i), indices(node.output(i).shape)
        )
        for i in range(len(node.op.outputs))
    ]


def _parts(node, source, axis):
    whole = indices(source.shape)
    calls, start = [], 0
    for position in range(len(node.op.outputs)):
        target = node.output(position)
        extent = target.shape[axis]
        taken = whole[(slice(None),) * axis + (slice(start, start + extent),)]
        if taken.size:
            calls.append(copy_strided(node, source, taken, target, indices(target.shape)))
        start += extent
    return calls
