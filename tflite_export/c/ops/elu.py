"""ELU."""

import math

import numpy as np

from tflite_export.c.emit import emits, quantization
from tflite_export.c.lookup import lookup
from tflite_export.c.requant import require_types
from tflite_export.fixed_point import round_half_away


@emits("ELU")
def elu(node):
    """Returns a table, computed in float32 as the runtime computes its own."""
    require_types(node, input_0="int8", output_0="int8")
    (scale, zero_point), (out_scale, out_zero) = quantization(node.input(0)), quantization(node.output())
    inverse = np.float32(1) / out_scale

    def function(values):
        real = scale * (values - zero_point).astype(np.float32)
        exps = np.array([np.float32(math.exp(v)) for v in np.minimum(real, 0)], np.float32)
        real = np.where(real < 0, exps - np.float32(1), real).astype(np.float32)
        return round_half_away(real * inverse).astype(np.int64) + out_zero

    return lookup(node, function)
