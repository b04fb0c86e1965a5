"""What a network is quantized to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Int8:
    """8-bit weights and activations, as TFLite Micro computes them.

    Weights are symmetric with a scale per output channel (per channel of the input and multiplier
    for depthwise convolutions); activations are affine with one scale per tensor; biases become
    int32 with the product of the scales of input and weights.

    Attributes:
        momentum: Of the moving average of activation ranges during training, in [0, 1). Higher is
            steadier. Defaults to 0.99.
        per_channel: Whether weights have a scale for each output channel. One scale for the whole
            tensor is what some accelerators want; it needs `fold_normalization`, and often `equalize`,
            first. Defaults to True.

    Example:
    >>> Int8(momentum=0.9)
    Int8(momentum=0.9, per_channel=True)
    """

    momentum: float = 0.99
    per_channel: bool = True

    def __post_init__(self):
        """Checks the settings."""
        if not 0 <= self.momentum < 1:
            raise ValueError(
                f"momentum must be in [0, 1). Received: momentum={self.momentum}. 0.99 suits most fits."
            )
