"""Quantization as `tfmot.quantization`."""

from keras_shrink.compat.tfmot.quantization import keras

__all__ = ["keras"]
