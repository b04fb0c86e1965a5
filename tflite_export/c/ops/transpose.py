"""TRANSPOSE."""

import numpy as np

from tflite_export.c.emit import emits
from tflite_export.c.program import Alias
from tflite_export.c.strided import copy_strided, indices


@emits("TRANSPOSE", reads=(0,))
def transpose(node):
    """Returns the copy with dimensions exchanged, or an alias where only dimensions of 1 move."""
    source, target = node.input(0), node.output()
    order = [int(v) for v in np.reshape(node.required(1, "permutation"), -1)]
    moved = [d for d in order if source.shape[d] != 1]
    if moved == sorted(moved):
        return Alias(target.index, source.index)
    return copy_strided(node, source, indices(source.shape).transpose(order), target, indices(target.shape))
