"""Real numbers to integers and back, as the runtimes' QUANTIZE and DEQUANTIZE do it."""

import numpy as np

from tflite_export.fixed_point import round_half_away


def quantize_array(values, tensor):
    """Returns float `values` as integers of `tensor`'s type: `round(x / scale) + zero_point`, saturated.

    Args:
        values: Float array whose last dimension is the quantized one where there are several scales.
        tensor: A `graph.Tensor` with quantization.
    """
    params = tensor.quantization
    limits = np.iinfo(tensor.dtype)
    rounded = round_half_away(np.asarray(values, np.float32) / params.scale).astype(np.int64)
    return np.clip(rounded + params.zero_point, limits.min, limits.max).astype(tensor.dtype)


def dequantize_array(values, tensor):
    """Returns integers of `tensor` as float32: `scale * (q - zero_point)`."""
    params = tensor.quantization
    return ((np.asarray(values, np.int64) - params.zero_point) * params.scale).astype(np.float32)
