"""GATHER with constant or computed indices."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, element_bytes, emits
from tflite_export.c.program import Call, Constant, Operand


@emits("GATHER")
def gather(node):
    """Returns the call that picks slices."""
    source, picks = node.input(0), node.input(1)
    if picks.dtype != "int32":
        raise UnsupportedError(f"indices of type {picks.dtype}, only int32")
    axis = node.options.axis % len(source.shape)
    batch = node.options.batch_dims % (len(picks.shape) + 1)
    product = lambda shape: int(np.prod(shape, dtype=np.int64))  # noqa: E731
    params = {
        "batches": product(source.shape[:batch]),
        "outer": product(source.shape[batch:axis]),
        "axis_size": source.shape[axis],
        "inner": product(source.shape[axis + 1 :]) * element_bytes(source),
        "count": product(picks.shape[batch:]),
    }
    values = node.constant(0)
    table = Operand(source.index, "int8_t")
    if values is not None:
        table = Constant("input", "int8_t", np.ascontiguousarray(values).view(np.int8).reshape(-1))
    return Call("gather_int8", params, (table, node.operand(1)), (Operand(node.output().index, "int8_t"),))
