"""Combinations as `tfmot.experimental`."""

from keras_shrink.compat.tfmot.experimental import combine

__all__ = ["combine"]
