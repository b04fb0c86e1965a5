"""PAD, PADV2 and MIRROR_PAD."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, element_bytes, emits
from tflite_export.c.program import Call, Constant, Operand, Overlap

LOOPS = 5


@emits("PAD", "PADV2", reads=(0,))
def pad(node):
    """Returns the call that surrounds the input with its zero point, or with the given value."""
    source, target = node.input(0), node.output()
    paddings = np.reshape(node.required(1, "paddings"), (-1, 2)).astype(int)
    width = element_bytes(target)
    value = node.constant(2) if len(node.op.inputs) > 2 else None
    if len(node.op.inputs) > 2 and value is None:
        raise UnsupportedError("its value must be constant")
    if value is None:
        value = 0 if target.quantization is None else int(target.quantization.zero_point[0])
    element = np.asarray(np.reshape(value, -1)[0]).astype(target.dtype).tobytes()
    loops = _merged(source.shape, paddings, width)
    if width > 4 or len(loops) > LOOPS:
        raise UnsupportedError(f"padding in {len(loops)} dimensions of {target.dtype}")
    loops = [(1, 0, 0)] * (LOOPS - len(loops)) + loops
    params = {
        "extent": tuple(e for e, _, _ in loops),
        "before": tuple(b for _, b, _ in loops),
        "after": tuple(a for _, _, a in loops),
        "value": tuple(element * (4 // width)),
    }
    inside = np.pad(np.ones(source.shape, bool), paddings).reshape(-1)
    ahead = (int(np.nonzero(inside)[0][-1]) + 1 - source.size) * width
    operands = (Operand(source.index, "int8_t"),), (Operand(target.index, "int8_t"),)
    return Call("pad_int8", params, *operands, 0, (Overlap(0, 0, ahead),))


def _merged(shape, paddings, width):
    """(extent, before, after) of each loop, dimensions without padding joined to the one before, in bytes."""
    loops: list[tuple[int, int, int]] = []
    for extent, (before, after) in zip(shape, paddings, strict=True):
        if loops and not before and not after:
            loops[-1] = tuple(v * extent for v in loops[-1])
        else:
            loops.append((extent, int(before), int(after)))
    loops[-1] = tuple(v * width for v in loops[-1])
    return loops


@emits("MIRROR_PAD", reads=(0,))
def mirror_pad(node):
    """Returns the call that surrounds the input with its reflection."""
    source, target = node.input(0), node.output()
    paddings = np.reshape(node.required(1, "paddings"), (-1, 2)).astype(int)
    width = element_bytes(target)
    mode = {"REFLECT": "reflect", "SYMMETRIC": "symmetric"}[node.options.mode]
    sizes = [int(np.prod(source.shape[d + 1 :])) * width for d in range(len(source.shape))]
    tables = [
        np.pad(np.arange(n), pair, mode=mode) * size
        if n > 1 or not pair.any()
        else np.zeros(n + pair.sum(), int)
        for n, pair, size in zip(source.shape, paddings, sizes, strict=True)
    ]
    unit = width
    while tables and not paddings[len(tables) - 1].any():
        unit *= source.shape[len(tables) - 1]
        tables.pop()
    if len(tables) > 4:
        raise UnsupportedError(f"reflection in {len(tables)} dimensions")
    tables = [np.zeros(1, int)] * (4 - len(tables)) + tables
    params = {
        "extent": tuple(len(t) for t in tables),
        "source": tuple(Constant(f"source_{i}", "int32_t", t) for i, t in enumerate(tables)),
        "unit": unit,
    }
    return Call(
        "mirror_pad_int8", params, (Operand(source.index, "int8_t"),), (Operand(target.index, "int8_t"),)
    )
