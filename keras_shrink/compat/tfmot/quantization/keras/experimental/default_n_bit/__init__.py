"""Other widths, as `tfmot.quantization.keras.experimental.default_n_bit`."""

from keras_shrink.compat.tfmot.quantization.keras.schemes import DefaultNBitQuantizeScheme

__all__ = ["DefaultNBitQuantizeScheme"]
