"""RESHAPE, SQUEEZE and EXPAND_DIMS: the same bytes under another shape."""

from tflite_export.c.emit import emits
from tflite_export.c.program import Alias


@emits("RESHAPE", "SQUEEZE", "EXPAND_DIMS", reads=(0,))
def reshape(node):
    """Returns an alias of the input."""
    return Alias(node.op.outputs[0], node.op.inputs[0])
