"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: where to read is settled at generation time."""

import math

import numpy as np

from tflite_export.c.emit import element_bytes, emits
from tflite_export.c.program import Call, Constant, Operand
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import round_half_away

ONE = 1024  # of a position between two pixels


@emits("RESIZE_NEAREST_NEIGHBOR", reads=(0,))
def resize_nearest(node):
    """Returns the call that picks pixels of any type."""
    source, target = node.input(0), node.output()
    params = {
        **_sizes(source, target),
        "pixel": source.shape[3] * element_bytes(source),
        "rows": Constant("rows", "uint16_t", _nearest(source.shape[1], target.shape[1], node.options)),
        "columns": Constant("columns", "uint16_t", _nearest(source.shape[2], target.shape[2], node.options)),
    }
    operands = (Operand(source.index, "int8_t"),), (Operand(target.index, "int8_t"),)
    return Call("resize_nearest_int8", params, *operands)


@emits("RESIZE_BILINEAR", reads=(0,))
def resize_bilinear(node):
    """Returns the call of the int8 interpolation."""
    require_types(node, input_0="int8", output_0="int8")
    source, target = node.input(0), node.output()
    params = {
        **_sizes(source, target),
        "channels": source.shape[3],
        "rows": Constant("rows", "int16_t", _between(source.shape[1], target.shape[1], node.options)),
        "columns": Constant("columns", "int16_t", _between(source.shape[2], target.shape[2], node.options)),
    }
    return Call("resize_bilinear_int8", params, (node.operand(0),), (node.result(),))


def _sizes(source, target):
    return {
        "batches": source.shape[0],
        "input_height": source.shape[1],
        "input_width": source.shape[2],
        "output_height": target.shape[1],
        "output_width": target.shape[2],
    }


def _nearest(size, wanted, options):
    """The input position of each output position, in float32 as the runtime computes it."""
    if options.align_corners and wanted > 1:
        scale = np.float32(size - 1) / np.float32(wanted - 1)
    else:
        scale = np.float32(size) / np.float32(wanted)
    offset = np.float32(0.5 if options.half_pixel_centers else 0.0)
    position = (np.arange(wanted, dtype=np.float32) + offset) * scale
    whole = round_half_away(position) if options.align_corners else np.floor(position)
    return np.clip(whole.astype(np.int64), 0, size - 1)


def _between(size, wanted, options):
    """(low, high, fraction) of each output position."""
    if options.align_corners and wanted > 1:
        scale = (ONE * (size - 1) + (wanted - 1) // 2) // (wanted - 1)
    else:
        scale = (ONE * size + wanted // 2) // wanted
    rows = []
    for i in range(wanted):
        position = i * scale + (scale // 2 - ONE // 2 if options.half_pixel_centers else 0)
        low = max(math.trunc(position / ONE), 0)
        high = min(math.trunc((position + ONE - 1) / ONE), size - 1)
        rows.append((low, high, position - ONE * low))
    return np.array(rows, np.int64)
