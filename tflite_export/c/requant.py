"""Folding and requantization parameters of operators with constant weights."""

from __future__ import annotations

import numpy as np

from tflite_export.c.emit import UnsupportedError, quantization
from tflite_export.c.program import Constant
from tflite_export.fixed_point import INT32_MAX, activation_range, quantize_multiplier


def channel_multipliers(source, weights, target, channels):
    """Returns the significands and shifts that bring sums of products to the output's scale.

    Args:
        source: Input tensor, quantized as a whole.
        weights: Weight tensor, one scale or one for each output channel.
        target: Output tensor, quantized as a whole.
        channels: Output channels.
    """
    if weights.quantization is None:
        raise UnsupportedError("its weights have no scale")
    scales = np.asarray(weights.quantization.scale, np.float32)
    if scales.size not in (1, channels):
        raise UnsupportedError(f"its weights have {scales.size} scales for {channels} channels")
    if np.any(weights.quantization.zero_point):
        raise UnsupportedError("its weights have a zero point other than 0")
    input_scale, output_scale = float(quantization(source)[0]), float(quantization(target)[0])
    pairs = [quantize_multiplier(input_scale * float(s) / output_scale) for s in scales]
    pairs = pairs * (channels // len(pairs))
    return np.array([p.significand for p in pairs], np.int64), np.array([p.shift for p in pairs], np.int64)


def fold_zero_point(weights, bias, zero_point):
    """Returns the bias with the input's zero point taken into it: `bias - zero_point * sum(weights)`.

    Args:
        weights: Shape `(channels, ...)`.
        bias: Shape `(channels,)` or None.
        zero_point: Of the input.

    Raises:
        UnsupportedError: If a sum could leave 32 bits, whatever the input.
    """
    flat = np.asarray(weights, np.int64).reshape(len(weights), -1)
    bias = np.zeros(len(flat), np.int64) if bias is None else np.asarray(bias, np.int64).reshape(-1)
    bound = int((np.abs(bias) + 256 * np.abs(flat).sum(1)).max(initial=0))
    if bound > INT32_MAX:
        raise UnsupportedError(f"its accumulator could reach {bound}, more than 32 bits hold")
    return bias - zero_point * flat.sum(1)


def output_range(node, dtype="int8"):
    """Returns `output_zero_point`, `output_min` and `output_max` for an operator with a fused activation."""
    scale, zero_point = quantization(node.output())
    activation = getattr(node.options, "fused_activation_function", "NONE")
    if activation not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
        raise UnsupportedError(f"a fused {activation}")
    low, high = activation_range(activation, scale, zero_point, dtype)
    return {"output_zero_point": zero_point, "output_min": low, "output_max": high}


def multiplier_fields(significands, shifts):
    """Returns the `multiplier` and `shift` arrays of a kernel's parameters."""
    return {
        "multiplier": Constant("multiplier", "int32_t", significands),
        "shift": Constant("shift", "int8_t", shifts),
    }


def require_types(node, **dtypes):
    """Raises unless tensors have the types a kernel takes.

    Args:
        node: The operator.
        **dtypes: `input_0="int8"` or `output_0=("int8", "int16")` and so on; absent inputs pass.
    """
    for place, allowed in dtypes.items():
        kind, position = place.split("_")
        if kind == "input" and not node.has_input(int(position)):
            continue
        tensor = node.input(int(position)) if kind == "input" else node.output(int(position))
        allowed = (allowed,) if isinstance(allowed, str) else allowed
        if tensor.dtype not in allowed:
            raise UnsupportedError(
                f"{kind} {position} is {tensor.dtype}, only {' or '.join(allowed)} has a kernel"
            )
