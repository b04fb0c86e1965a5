"""Schemes that keep zeros and clusters, as `tfmot.experimental.combine`."""

from keras_shrink.compat.tfmot.quantization.keras.schemes import (
    Default8BitClusterPreserveQuantizeScheme,
    Default8BitPrunePreserveQuantizeScheme,
)

__all__ = ["Default8BitClusterPreserveQuantizeScheme", "Default8BitPrunePreserveQuantizeScheme"]
