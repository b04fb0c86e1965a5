"""What a network is quantized to: a choice of number formats for weights and activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Int8:
    """8-bit weights and activations, as TFLite Micro computes them; or weights of 4 bits.

    Weights are symmetric with a scale per output channel (per channel of the input and multiplier
    for depthwise convolutions); activations are affine with one scale per tensor; biases become
    int32 with the product of the scales of input and weights.

    With `weight_bits=4`, kernels of convolutions, depthwise convolutions and Dense layers lie on 15
    levels, -7 to 7, stored two to a byte. Their steps start where the squared error is least and are
    trained with the weights. Dense layers have one scale for the whole kernel, since TFLite Micro takes
    no other with 4 bits. The rest keeps 8 bits.

    Attributes:
        momentum: Of the moving average of activation ranges during training, in [0, 1). Higher is
            steadier. Defaults to 0.99.
        per_channel: Whether weights have a scale for each output channel. One scale for the whole
            tensor is what some accelerators want; it needs `fold_normalization`, and often `equalize`,
            first. Defaults to True.
        weight_bits: Width of kernels, 8 or 4. Defaults to 8.

    Example:
    >>> Int8(weight_bits=4)
    Int8(momentum=0.99, per_channel=True, weight_bits=4)
    """

    momentum: float = 0.99
    per_channel: bool = True
    weight_bits: int = 8
    activation_bits: ClassVar[int] = 8

    def __post_init__(self):
        """Checks the settings."""
        _check_momentum(self.momentum)
        if self.weight_bits not in (4, 8):
            raise ValueError(
                "weight_bits must be 8 or 4, the widths that kernels on devices know. "
                f"Received: weight_bits={self.weight_bits!r}."
            )


@dataclass(frozen=True)
class Int16x8:
    """16-bit activations with 8-bit weights: nearly the accuracy of floats, on TFLite Micro too.

    Activations are symmetric with one scale per tensor, `real = scale * q` with q from -32768 to 32767;
    weights are those of `Int8()`; biases become int64. Activations take twice the RAM, and kernels are
    slower than with 8 bits: for signals with a wide range, such as audio, and for regression.

    Attributes:
        momentum: Of the moving average of activation ranges during training, in [0, 1).

    Example:
    >>> Int16x8()
    Int16x8(momentum=0.99)
    """

    momentum: float = 0.99
    activation_bits: ClassVar[int] = 16
    weight_bits: ClassVar[int] = 8
    per_channel: ClassVar[bool] = True

    def __post_init__(self):
        """Checks the settings."""
        _check_momentum(self.momentum)


@dataclass(frozen=True)
class WeightOnly:
    """8-bit weights, float activations: a dynamic-range file for LiteRT on a phone or a PC.

    Kernels are those of `Int8()`; everything else stays float, and no data is needed. The file stores
    kernels of 1,024 and more values as integers, smaller ones as the floats they were rounded to. TFLite
    Micro does not run such files.

    Example:
    >>> WeightOnly()
    WeightOnly()
    """

    activation_bits: ClassVar[None] = None
    weight_bits: ClassVar[int] = 8
    per_channel: ClassVar[bool] = True


@dataclass(frozen=True)
class Float16:
    """Weights of 16-bit floats in a float network: half the size, for GPUs and phones.

    Kernels and biases are rounded to float16 in training; the file stores every weight so.

    Example:
    >>> Float16()
    Float16()
    """

    activation_bits: ClassVar[None] = None
    weight_bits: ClassVar[int] = 16
    per_channel: ClassVar[bool] = True


Config = Int8 | Int16x8 | WeightOnly | Float16
CONFIGS = (Int8, Int16x8, WeightOnly, Float16)


def checked_config(config) -> Config:
    """Returns the config given, or `Int8()` for None.

    Raises:
        ValueError: If it is none of the configs.

    Example:
    >>> checked_config(None)
    Int8(momentum=0.99, per_channel=True, weight_bits=8)
    """
    if config is None:
        return Int8()
    if not isinstance(config, CONFIGS):
        names = ", ".join(f"{kind.__name__}(...)" for kind in CONFIGS)
        hint = " Configs are objects: Int8(), not Int8." if isinstance(config, type) else ""
        raise ValueError(f"config must be one of {names}. Received: config={config!r}.{hint}")
    return config


def _check_momentum(momentum):
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be in [0, 1). Received: momentum={momentum}. 0.99 suits most fits.")
