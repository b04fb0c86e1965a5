"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from tflite_export.c.emit import emits
from tflite_export.c.program import Call, Overlap
from tflite_export.c.requant import output_range, require_types
from tflite_export.c.window import slide


@emits("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool_2d(node):
    """Returns the call of the pooling: int8, int16 or legacy uint8."""
    dtype = node.input(0).dtype
    require_types(node, input_0=("int8", "int16", "uint8"), output_0=dtype)
    window = slide(node, (node.options.filter_height, node.options.filter_width))
    bounds = output_range(node, dtype)
    params = {
        "batches": window.batches,
        "input_height": window.input[0],
        "input_width": window.input[1],
        "channels": window.input[2],
        "output_height": window.output[0],
        "output_width": window.output[1],
        "filter_height": window.filter[0],
        "filter_width": window.filter[1],
        "stride_height": window.stride[0],
        "stride_width": window.stride[1],
        "pad_top": window.pad[0],
        "pad_left": window.pad[1],
        "output_min": bounds["output_min"],
        "output_max": bounds["output_max"],
    }
    kernel = f"{node.op.code.lower()}_{dtype}"
    overlap = Overlap(0, 0, window.distance() * (2 if dtype == "int16" else 1))
    return Call(kernel, params, (node.operand(0),), (node.result(),), overlaps=(overlap,))
