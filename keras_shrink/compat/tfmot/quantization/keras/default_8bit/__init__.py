"""The default scheme, as `tfmot.quantization.keras.default_8bit`."""

from keras_shrink.compat.tfmot.quantization.keras.configs import (
    Default8BitOutputQuantizeConfig,
    NoOpQuantizeConfig,
)
from keras_shrink.compat.tfmot.quantization.keras.schemes import Default8BitQuantizeScheme

__all__ = ["Default8BitOutputQuantizeConfig", "Default8BitQuantizeScheme", "NoOpQuantizeConfig"]
