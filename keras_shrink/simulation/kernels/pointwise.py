"""Operators on one value at a time: tables made by the fixed-point arithmetic itself."""

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.arithmetic import every, look_up, requantize, saturate, wide
from keras_shrink.simulation.kernel import emitted, simulates
from tflite_export import fixed_point
from tflite_export.c.emit import UnsupportedError, quantization
from tflite_export.c.program import Alias
from tflite_export.fixed_point import LIMITS, Multiplier
from tflite_export.fixed_point_functions import logistic_q15, table_units, tanh_q15


def _rescaled(p, x):
    factor = Multiplier(p["multiplier"], p["shift"])
    return fixed_point.requantize(x, factor) + p["output_zero_point"]


def _leaky(p, x):
    x = x - p["input_zero_point"]
    sign = -1 if p["negative_multiplier"] < 0 else 1
    positive = Multiplier(p["positive_multiplier"], p["positive_shift"])
    negative = Multiplier(abs(p["negative_multiplier"]), p["negative_shift"])
    below = sign * fixed_point.requantize(x, negative)
    return np.where(x >= 0, fixed_point.requantize(x, positive), below) + p["output_zero_point"]


_WIDE = {
    "abs_int16": lambda p, x: _rescaled(p, np.abs(x - p["input_zero_point"])),
    "clamp_int16": lambda p, x: np.clip(x, p["low"], p["high"]),
    "leaky_relu_int16": _leaky,
    "logistic_int16": lambda p, x: logistic_q15(
        table_units(x, p["multiplier"], p["shift"]), p["table"].values
    ),
    "relu_int16": lambda p, x: np.maximum(_rescaled(p, x - p["input_zero_point"]), p["output_min"]),
    "tanh_int16": lambda p, x: tanh_q15(table_units(x, p["multiplier"], p["shift"]), p["table"].values),
}


@simulates(
    "ABS", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "NEG", "RELU", "RELU6", "RSQRT", "SQRT", "TANH"
)
def pointwise(node):
    """A table of every value of the input's type."""
    call = emitted(node)
    if isinstance(call, Alias):
        return lambda operands: operands(0)
    source, target = node.input(0).dtype, node.output().dtype
    if call.kernel == "lookup_int8":
        return _reader(_by_value(call.params["table"].values, source, target), source)
    values = _WIDE[call.kernel](call.params, every(source))
    return _reader(np.clip(values, *LIMITS[target]).astype(target), source)


def _by_value(table, source, target):
    """A table of bytes for bytes, as values for values in their order."""
    return np.asarray(table, np.uint8)[every(source) & 255].view(target)


def _reader(table, source):
    return lambda operands: look_up(table, operands(0), source)


@simulates("QUANTIZE")
def quantize(node):
    """Rounds floats, or brings integers to another scale."""
    source, target = node.input(0).dtype, node.output().dtype
    if source in ("int8", "uint8") and target in ("int8", "uint8"):
        return pointwise(node)
    emitted(node)  # refuses what C refuses
    scale, zero_point = quantization(node.output())
    if source == "float32":
        return lambda operands: quantized(operands(0), scale, zero_point, target)
    own_scale, own_zero = quantization(node.input(0))
    factor = fixed_point.quantize_multiplier(float(own_scale) / float(scale))
    if source == "int32":
        bound = 1 << 31
        if own_zero:
            raise UnsupportedError("an int32 input with a zero point other than 0")
        return lambda operands: saturate(requantize(wide(operands(0)), *factor, bound) + zero_point, target)
    values = fixed_point.requantize(every(source) - own_zero, factor) + zero_point
    return _reader(np.clip(values, *LIMITS[target]).astype(target), source)


@simulates("DEQUANTIZE")
def dequantize(node):
    """Makes floats of integers."""
    emitted(node)
    return lambda operands: dequantized(operands(0), *quantization(node.input(0)))


def quantized(values, scale, zero_point, dtype):
    """Returns floats as integers: `round(x / scale) + zero_point`, halves away from zero, saturated."""
    # TensorFlow turns a division by a constant into a product. In float64 that is near enough to round to
    # the quotient in float32.
    quotient = wide(tf.cast(wide(values) * (1.0 / np.float64(scale)), tf.float32))
    quotient = tf.where(tf.math.is_nan(quotient), tf.zeros_like(quotient), quotient)
    magnitude = tf.floor(tf.abs(quotient) + 0.5)
    return saturate(tf.sign(quotient) * magnitude + zero_point, dtype)


def dequantized(values, scale, zero_point):
    """Returns integers as float32: `scale * (q - zero_point)`."""
    return tf.cast(tf.cast(values, tf.int32) - zero_point, tf.float32) * np.float32(scale)
