"""MINIMUM and MAXIMUM, with broadcasting; TFLM compares the integers, whatever their scales."""

from tflite_export.c.broadcast import broadcast
from tflite_export.c.emit import emits
from tflite_export.c.program import Call
from tflite_export.c.requant import require_types


@emits("MINIMUM", "MAXIMUM")
def minimum(node):
    """Returns the call of the smaller or the larger of two values."""
    dtype = node.output().dtype
    require_types(node, output_0=("int8", "int16", "int32"), input_0=dtype, input_1=dtype)
    operands = node.operand(0), node.operand(1)
    kernel = f"{node.op.code.lower()}_{dtype}"
    params = {"shape": broadcast(node)}
    return Call(kernel, params, operands, (node.result(),), overlaps=node.elementwise(0, 1))
