"""Pruning as `tfmot.sparsity`."""

from keras_shrink.compat.tfmot.sparsity import keras

__all__ = ["keras"]
