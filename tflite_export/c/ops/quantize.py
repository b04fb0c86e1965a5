"""QUANTIZE and DEQUANTIZE: between float and integers, and between integers of different scales."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, element_bytes, emits, quantization
from tflite_export.c.lookup import lookup
from tflite_export.c.program import Call, Overlap
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import quantize_multiplier, requantize


@emits("QUANTIZE")
def quantize(node):
    """Returns a rounding for float input, a table between 8-bit types, a rescaling for the others."""
    source, target = node.input(0).dtype, node.output().dtype
    if source == "float32":
        require_types(node, output_0=("int8", "int16"))
        scale, zero_point = quantization(node.output())
        params = {"count": node.output().size, "scale": np.float32(scale), "zero_point": zero_point}
        return Call(
            f"quantize_{target}", params, (node.operand(0),), (node.result(),), overlaps=node.elementwise(0)
        )
    (scale, zero_point), (out_scale, out_zero) = quantization(node.input(0)), quantization(node.output())
    multiplier = quantize_multiplier(float(scale) / float(out_scale))
    if {source, target} <= {"int8", "uint8"}:
        return lookup(node, lambda x: requantize(x - zero_point, multiplier) + out_zero)
    kernel = f"requantize_{source}_{target}"
    if kernel not in KERNELS:
        raise UnsupportedError(f"from {source} to {target}")
    params = {
        "count": node.output().size,
        "input_zero_point": zero_point,
        "output_zero_point": out_zero,
        "multiplier": multiplier.significand,
        "shift": multiplier.shift,
    }
    return Call(kernel, params, (node.operand(0),), (node.result(),), overlaps=_in_place(node))


def _in_place(node):
    """Kernels to a narrower type run forwards, those to a wider one backwards; both work in place."""
    wider = element_bytes(node.output()) > element_bytes(node.input(0))
    return (Overlap(0, 0, 0, exact=True),) if wider else node.elementwise(0)


KERNELS = frozenset(
    f"requantize_{a}_{b}"
    for a, b in (
        ("int8", "int16"),
        ("int8", "int32"),
        ("int16", "int8"),
        ("int16", "int16"),
        ("int16", "int32"),
        ("int32", "int8"),
        ("int32", "int16"),
    )
)


@emits("DEQUANTIZE")
def dequantize(node):
    """Returns the call that makes floats of integers."""
    require_types(node, input_0=("int8", "int16", "uint8"), output_0="float32")
    scale, zero_point = quantization(node.input(0))
    params = {"count": node.output().size, "scale": np.float32(scale), "zero_point": zero_point}
    kernel = f"dequantize_{node.input(0).dtype}"
    return Call(kernel, params, (node.operand(0),), (node.result(),), overlaps=_in_place(node))
