"""Why a layer loses accuracy when it is quantized, judged by its weights and activations."""

from __future__ import annotations

from dataclasses import dataclass

# How many times wider than the median channel the widest may be: 8 costs it 3 of 8 bits.
WIDE = 8.0
# How far the largest value may lie beyond the 99.9th percentile.
FAR = 4.0


@dataclass(frozen=True)
class Symptoms:
    """What was seen of a layer.

    Attributes:
        weight_error: Error of the model's outputs with only this layer's weights rounded.
        activation_error: The same with only its output rounded.
        per_tensor: Whether its weights share one scale.
        weight_spread: Widest over median output channel of its weights; 1 without weights.
        input_spread: Widest over median input channel of its weights that share a scale; 1 without.
        channel_spread: Widest over median channel of its output.
        outlier: Largest value of its output over the 99.9th percentile of the magnitudes.
        stuck: Share of its output channels that have the same value on all of the data.
        clips_at_six: Whether its output is that of a ReLU6.
        joins: Widest over narrowest of the tensors it joins; 1 where it joins none.
        shifted: Share of its output's error that is an error of channel means.

    Example:
    >>> Symptoms(weight_error=0.1).joins
    1.0
    """

    weight_error: float = 0.0
    activation_error: float = 0.0
    per_tensor: bool = False
    weight_spread: float = 1.0
    input_spread: float = 1.0
    channel_spread: float = 1.0
    outlier: float = 1.0
    stuck: float = 0.0
    clips_at_six: bool = False
    joins: float = 1.0
    shifted: float = 0.0


def explain(seen: Symptoms) -> tuple[str, str]:
    """Returns the likely cause and the step that treats it.

    Example:
    >>> explain(Symptoms(weight_error=1.0, per_tensor=True, weight_spread=50.0))[0]
    'per-tensor weights over wide channel ranges (50 times the median)'
    """
    by_weights = seen.weight_error >= seen.activation_error
    found = _of_weights(seen) if by_weights else _of_activations(seen)
    return found or ("rounding noise", "train with quantize, or leave this layer in higher precision")


def _of_weights(seen: Symptoms) -> tuple[str, str] | None:
    if seen.per_tensor and seen.weight_spread > WIDE:
        return (
            f"per-tensor weights over wide channel ranges ({seen.weight_spread:.0f} times the median)",
            "per_channel=True, or equalize before",
        )
    if seen.input_spread > WIDE:
        return (
            f"weights of wide range over input channels ({seen.input_spread:.0f} times the median)",
            "equalize before",
        )
    if seen.shifted > 0.5:
        return f"shifted means ({seen.shifted:.0%} of the error)", "correct_bias"
    if seen.weight_error > 0:
        return "rounding noise of the weights", "learn_rounding, or train with quantize"
    return None


def _of_activations(seen: Symptoms) -> tuple[str, str] | None:
    if seen.clips_at_six and seen.stuck > 0.25:
        return (
            f"dying ReLU6 ({seen.stuck:.0%} of the channels never change)",
            "prune_channels, or replace ReLU6 by ReLU (equalize(replace_relu6=True)) and train on",
        )
    if seen.joins > FAR:
        return (
            f"concatenation of unequal ranges ({seen.joins:.0f} times): the narrow one is rescaled",
            "normalize the branches (BatchNormalization before joining), or train with quantize",
        )
    if seen.outlier > FAR:
        return (
            f"outliers in the activations ({seen.outlier:.0f} times the 99.9th percentile)",
            'calibrate with method="mse" or "percentile"',
        )
    if seen.channel_spread > WIDE:
        return f"wide channel range ({seen.channel_spread:.0f} times the median channel)", "equalize before"
    return None
