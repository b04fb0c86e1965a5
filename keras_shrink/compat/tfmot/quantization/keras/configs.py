"""`QuantizeConfig`: how one layer is to be quantized, and what that means for the native calls."""

import abc
import dataclasses
from typing import Any

import keras

from keras_shrink import Int8
from keras_shrink.compat.tfmot.quantization.keras.quantizers import (
    AllValuesQuantizer,
    Described,
    FixedQuantizer,
    LastValueQuantizer,
    MovingAverageQuantizer,
)


class QuantizeConfig(abc.ABC):
    """Says how a layer is quantized; natively an entry of `overrides`.

    The `get_...` methods are read. The `set_...` methods are not called: a layer sees its quantized weights
    without being changed.

    Example:
    >>> NoOpQuantizeConfig().get_weights_and_quantizers(None)
    []
    """

    @abc.abstractmethod
    def get_weights_and_quantizers(self, layer):
        """Returns pairs of a weight and its quantizer, as a list."""

    @abc.abstractmethod
    def get_activations_and_quantizers(self, layer):
        """Returns pairs of an activation and its quantizer, as a list."""

    @abc.abstractmethod
    def set_quantize_weights(self, layer, quantize_weights):
        """Is not called."""

    @abc.abstractmethod
    def set_quantize_activations(self, layer, quantize_activations):
        """Is not called."""

    @abc.abstractmethod
    def get_output_quantizers(self, layer):
        """Returns the quantizers of the outputs, as a list."""

    @abc.abstractmethod
    def get_config(self):
        """Returns the settings."""

    @classmethod
    def from_config(cls, config):
        """Returns the object of a config."""
        return cls(**config)


@keras.saving.register_keras_serializable("keras_shrink")
class NoOpQuantizeConfig(QuantizeConfig):
    """Leaves a layer float.

    Example:
    >>> NoOpQuantizeConfig().get_config()
    {}
    """

    def get_weights_and_quantizers(self, layer):
        """None."""
        return []

    def get_activations_and_quantizers(self, layer):
        """None."""
        return []

    def set_quantize_weights(self, layer, quantize_weights):
        """Is not called."""

    def set_quantize_activations(self, layer, quantize_activations):
        """Is not called."""

    def get_output_quantizers(self, layer):
        """None."""
        return []

    def get_config(self):
        """There are no settings."""
        return {}


@keras.saving.register_keras_serializable("keras_shrink")
class Default8BitOutputQuantizeConfig(NoOpQuantizeConfig):
    """Rounds a layer's output as usual.

    Args:
        quantize_output: Whether it does; if not, the layer stays float.

    Example:
    >>> Default8BitOutputQuantizeConfig(quantize_output=False).get_output_quantizers(None)
    []
    """

    def __init__(self, quantize_output=True):
        self.quantize_output = quantize_output

    def get_output_quantizers(self, layer):
        """The last value's range is not asked for; any observed one does."""
        return [MovingAverageQuantizer(8, False, False, False)] if self.quantize_output else []

    def get_config(self):
        """Whether the output is rounded."""
        return {"quantize_output": self.quantize_output}


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a `QuantizeConfig` asks for a layer, in native words.

    Attributes:
        config: The config of the layer, None to leave it float.
        custom: `id(weight)` -> a quantizer of the user's own.
        fixed: Range of the output, or None where it is observed.
        notes: What cannot be had, and what is done instead.
    """

    config: Int8 | None
    custom: dict[int, Any]
    fixed: tuple[float, float] | None
    notes: tuple[str, ...]


def wish_of(quantize_config, layer, scheme_config):
    """Returns the `Wish` that a `QuantizeConfig` means for a built layer.

    Args:
        quantize_config: The `QuantizeConfig`, or None for the scheme's own.
        layer: The plain, built layer.
        scheme_config: Native config of the scheme.

    Raises:
        ValueError: If a width is asked for that no kernel on a device knows.

    Example:
    >>> wish_of(NoOpQuantizeConfig(), keras.layers.ReLU(), Int8()).config is None
    True
    """
    if quantize_config is None:
        return Wish(scheme_config, {}, None, ())
    weights = list(quantize_config.get_weights_and_quantizers(layer))
    values = [quantizer for _, quantizer in quantize_config.get_activations_and_quantizers(layer)]
    values += list(quantize_config.get_output_quantizers(layer))
    if not weights and not values:
        return Wish(None, {}, None, ())
    config, notes = _with_weights(scheme_config, layer, [quantizer for _, quantizer in weights])
    fixed = None
    if not values:
        notes.append("its output is rounded all the same: an int8 file has no float between two operators")
    else:
        value = values[0]
        if getattr(value, "num_bits", 8) != 8:
            raise ValueError(
                "Activations of one layer cannot have another width than the rest. Received: "
                f"num_bits={value.num_bits} for {layer.name!r}. For 16 bits everywhere use "
                "DefaultNBitQuantizeScheme(num_bits_activation=16), or keras_shrink.Int16x8()."
            )
        if isinstance(value, FixedQuantizer):
            fixed = (float(value.init_min), float(value.init_max))
        elif isinstance(value, LastValueQuantizer):
            config = dataclasses.replace(config, momentum=0.0)
        elif isinstance(value, AllValuesQuantizer):
            notes.append("its range is a moving average; keras_shrink.calibrate takes that of all values")
        elif not isinstance(value, Described):
            notes.append(f"its range is observed as usual, {type(value).__name__} is for weights only here")
    custom = {id(weight): quantizer for weight, quantizer in weights if not isinstance(quantizer, Described)}
    return Wish(config, custom, fixed, tuple(notes))


def _with_weights(config, layer, quantizers):
    """Returns the config with the width that quantizers of weights ask for, and notes."""
    widths = {quantizer.num_bits for quantizer in quantizers if isinstance(quantizer, Described)}
    if not widths:
        note = "its weights are rounded to 8 bits all the same: the operator takes no floats"
        return config, ([] if quantizers else [note])
    if widths - {4, 8} or len(widths) > 1:
        raise ValueError(
            "Weights must have 8 bits or 4, the widths that kernels on devices know, and those of one layer "
            f"the same. Received: num_bits={sorted(widths)} for {layer.name!r}."
        )
    return dataclasses.replace(config, weight_bits=widths.pop()), []
