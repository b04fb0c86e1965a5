"""Schemes with tfmot's names: what a whole model is quantized to."""

import abc

from keras_shrink import Int8, Int16x8


class QuantizeScheme(abc.ABC):
    """What a model is quantized to; natively a config such as `Int8()`.

    Attributes:
        keeps_clusters: Whether values that weights share stay shared.
        keeps_zeros: Whether, among those, zero stays zero.
    """

    keeps_clusters = False
    keeps_zeros = True

    @abc.abstractmethod
    def native(self):
        """Returns the native config."""


class Default8BitQuantizeScheme(QuantizeScheme):
    """8-bit weights and activations: `Int8()`.

    Args:
        disable_per_axis: Whether each weight has one scale instead of one per channel.

    Example:
    >>> Default8BitQuantizeScheme(disable_per_axis=True).native().per_channel
    False
    """

    def __init__(self, disable_per_axis=False):
        self.disable_per_axis = disable_per_axis

    def native(self):
        """Returns the native config."""
        return Int8(per_channel=not self.disable_per_axis)


class Default8BitPrunePreserveQuantizeScheme(Default8BitQuantizeScheme):
    """As the default, which keeps zeros here.

    Example:
    >>> Default8BitPrunePreserveQuantizeScheme().native() == Int8()
    True
    """


class Default8BitClusterPreserveQuantizeScheme(Default8BitQuantizeScheme):
    """As the default; weights that share a value go on sharing it.

    Args:
        preserve_sparsity: Whether zero stays zero.

    Example:
    >>> Default8BitClusterPreserveQuantizeScheme().keeps_clusters
    True
    """

    keeps_clusters = True

    def __init__(self, preserve_sparsity=True):
        super().__init__()
        self.keeps_zeros = preserve_sparsity


class DefaultNBitQuantizeScheme(QuantizeScheme):
    """Weights of 8 or 4 bits with activations of 8, or weights of 8 with activations of 16.

    Args:
        disable_per_axis: Whether each weight has one scale instead of one per channel.
        num_bits_weight: Width of weights.
        num_bits_activation: Width of activations.

    Raises:
        ValueError: For other widths: no kernel on a device computes with them.

    Example:
    >>> DefaultNBitQuantizeScheme(num_bits_weight=4, num_bits_activation=8).native().weight_bits
    4
    """

    def __init__(self, disable_per_axis=False, num_bits_weight=8, num_bits_activation=8):
        widths = (num_bits_weight, num_bits_activation)
        if widths not in ((8, 8), (4, 8), (8, 16)):
            raise ValueError(
                "Widths of weights and activations must be 8 and 8, 4 and 8, or 8 and 16, which kernels on "
                f"devices know. Received: num_bits_weight={num_bits_weight}, "
                f"num_bits_activation={num_bits_activation}."
            )
        self.disable_per_axis, self.widths = disable_per_axis, widths

    def native(self):
        """Returns the native config."""
        if self.widths[1] == 16:
            return Int16x8()
        return Int8(weight_bits=self.widths[0], per_channel=not self.disable_per_axis)
