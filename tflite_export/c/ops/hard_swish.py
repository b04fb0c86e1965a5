"""HARD_SWISH."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.lookup import lookup
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import quantize_multiplier, rounding_shift_right, saturate


@emits("HARD_SWISH")
def hard_swish(node):
    """Returns a table: x * relu6(x + 3) / 6 in 16-bit fixed point."""
    require_types(node, input_0="int8", output_0="int8")
    (scale, zero_point), (out_scale, out_zero) = quantization(node.input(0)), quantization(node.output())
    fine = float(scale) / 128
    to_output = quantize_multiplier(fine / float(out_scale))
    to_unit = quantize_multiplier(fine / (3 / 32768))
    if to_output.shift > 0:
        raise UnsupportedError(f"an output scale of {out_scale}, below 1/128 of the input's scale {scale}")
    output_factor, unit_factor = _to_int16(to_output.significand), _to_int16(to_unit.significand)

    def function(values):
        x = (values - zero_point) << 7
        on_output = _high_mul_int16(x, output_factor)
        gate = x
        if to_unit.shift > 0:
            gate = saturate(gate << (to_unit.shift - 1), "int16")
        gate = _high_mul_int16(gate, unit_factor)
        if to_unit.shift > 0:
            gate = saturate(gate << 1, "int16")
        gate = rounding_shift_right(gate, max(-to_unit.shift, 0))
        gate = (gate + (1 << 15)) >> 1
        product = gate * on_output
        product = np.sign(product) * (np.abs(product) >> 15)
        return rounding_shift_right(product, -to_output.shift) + out_zero

    return lookup(node, function)


def _to_int16(significand):
    return 32767 if significand >= (1 << 31) - (1 << 15) else (significand + (1 << 15)) >> 16


def _high_mul_int16(a, b):
    """`a * b / 2**15` rounded to nearest, halves away from zero, for int16."""
    product = a * b
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    total = product + nudge
    return saturate(np.sign(total) * (np.abs(total) >> 15), "int16")
