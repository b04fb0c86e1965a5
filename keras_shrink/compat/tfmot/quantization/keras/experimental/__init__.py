"""Other widths, as `tfmot.quantization.keras.experimental`."""

from keras_shrink.compat.tfmot.quantization.keras.experimental import default_n_bit

__all__ = ["default_n_bit"]
