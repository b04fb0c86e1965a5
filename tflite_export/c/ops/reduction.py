"""MEAN, SUM, REDUCE_MAX, REDUCE_MIN, ARG_MAX and ARG_MIN."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.program import Call
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import quantize_multiplier

LOOPS = 4


@emits("MEAN", "SUM", reads=(0,))
def sum_(node):
    """Returns the call of the sum; a mean divides the multiplier by the count."""
    dtype = node.input(0).dtype
    require_types(node, input_0=("int8", "int16"), output_0=dtype)
    (scale, zero_point), (out_scale, out_zero) = quantization(node.input(0)), quantization(node.output())
    shape, count = _loops(node)
    significand, shift = quantize_multiplier(float(scale) / float(out_scale))
    if node.op.code == "MEAN":
        extra = min(count.bit_length() - 1, 32, 31 + shift)
        significand, shift = (significand << extra) // count, shift - extra
    params = {
        "shape": shape,
        "zero_points": zero_point * count,
        "output_zero_point": out_zero,
        "shift": shift,
        "multiplier": significand,
    }
    return Call(f"sum_{dtype}", params, (node.operand(0),), (node.result(),))


@emits("REDUCE_MAX", "REDUCE_MIN", reads=(0,))
def reduce_max(node):
    """Returns the call of the largest or the smallest value."""
    require_types(node, input_0="int8", output_0="int8")
    if quantization(node.input(0)) != quantization(node.output()):
        raise UnsupportedError("an output with another scale or zero point than the input")
    return Call(
        f"{node.op.code.lower()}_int8", {"shape": _loops(node)[0]}, (node.operand(0),), (node.result(),)
    )


@emits("ARG_MAX", "ARG_MIN", reads=(0,))
def arg_max(node):
    """Returns the call of the position of the largest or the smallest value."""
    require_types(node, input_0="int8", output_0="int32")
    shape = node.input(0).shape
    axis = int(np.reshape(node.required(1, "axis"), -1)[0]) % len(shape)
    params = {
        "outer": int(np.prod(shape[:axis], dtype=np.int64)),
        "size": shape[axis],
        "inner": int(np.prod(shape[axis + 1 :], dtype=np.int64)),
    }
    return Call(f"{node.op.code.lower()}_int8", params, (node.operand(0),), (node.result(),))


def _loops(node):
    """The `te_reduce` of an operator, and how many values make one."""
    shape = node.input(0).shape
    axes = {int(a) % len(shape) for a in np.reshape(node.required(1, "axes"), -1)}
    kept: list[tuple[int, int]] = []
    reduced: list[tuple[int, int]] = []
    step, last = 1, None
    for d in reversed(range(len(shape))):
        loops = reduced if d in axes else kept
        if shape[d] > 1:
            if last is loops:
                loops[-1] = (loops[-1][0] * shape[d], loops[-1][1])
            else:
                loops.append((shape[d], step))
            last = loops
        step *= shape[d]
    if max(len(kept), len(reduced)) > LOOPS:
        raise UnsupportedError(f"a reduction that takes more than {LOOPS} loops")
    kept, reduced = ([(1, 0)] * (LOOPS - len(loops)) + loops[::-1] for loops in (kept, reduced))
    fields = {
        "kept": tuple(e for e, _ in kept),
        "kept_step": tuple(s for _, s in kept),
        "reduced": tuple(e for e, _ in reduced),
        "reduced_step": tuple(s for _, s in reduced),
    }
    return fields, int(np.prod([e for e, _ in reduced], dtype=np.int64))
