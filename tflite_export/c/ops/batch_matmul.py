"""BATCH_MATMUL of computed or constant matrices, either of them transposed."""

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.program import Call
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import INT32_MAX, LIMITS, quantize_multiplier

BATCHES = 3


@emits("BATCH_MATMUL")
def batch_matmul(node):
    """Returns the call of the product, int8 or int16."""
    dtype = node.output().dtype
    require_types(node, output_0=("int8", "int16"), input_0=dtype, input_1=dtype)
    first, second, target = node.input(0).shape, node.input(1).shape, node.output().shape
    rows, depth = first[-2:][::-1] if node.options.adj_x else first[-2:]
    columns = target[-1]
    if dtype == "int8" and depth * 255 * 255 > INT32_MAX:
        raise UnsupportedError(f"a depth of {depth}: the sum could leave 32 bits")
    (scale_1, zero_1), (scale_2, zero_2) = quantization(node.input(0)), quantization(node.input(1))
    out_scale, out_zero = quantization(node.output())
    multiplier = quantize_multiplier(float(scale_1) * float(scale_2) / float(out_scale))
    if dtype == "int16" and multiplier.shift > 7:
        raise UnsupportedError(f"an output scale of {out_scale}, out of proportion to its inputs'")
    batches = (1,) * (BATCHES - len(target) + 2) + target[:-2]
    if len(batches) > BATCHES:
        raise UnsupportedError(f"{len(target)} dimensions")
    row_step, depth_1 = (1, rows) if node.options.adj_x else (depth, 1)
    depth_2, column_step = (1, depth) if node.options.adj_y else (columns, 1)
    params = {
        "batches": batches,
        "batch_step_1": _steps(first, batches),
        "batch_step_2": _steps(second, batches),
        "rows": rows,
        "depth": depth,
        "columns": columns,
        "row_step": row_step,
        "depth_step_1": depth_1,
        "depth_step_2": depth_2,
        "column_step": column_step,
        "zero_point_1": zero_1,
        "zero_point_2": zero_2,
        "output_zero_point": out_zero,
        "output_min": LIMITS[dtype][0],
        "output_max": LIMITS[dtype][1],
        "shift": multiplier.shift,
        "multiplier": multiplier.significand,
    }
    operands = node.operand(0), node.operand(1)
    return Call(f"batch_matmul_{dtype}", params, operands, (node.result(),))


def _steps(shape, batches):
    """Elements between matrices along each leading dimension, 0 where one matrix serves all."""
    own = (1,) * (BATCHES - len(shape) + 2) + shape[:-2]
    steps, size = [], shape[-1] * shape[-2]
    for extent, wanted in zip(reversed(own), reversed(batches), strict=True):
        steps.append(size if extent == wanted and extent > 1 else 0)
        size *= extent
    return tuple(reversed(steps))
