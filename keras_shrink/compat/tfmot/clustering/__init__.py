"""Clustering as `tfmot.clustering`."""

from keras_shrink.compat.tfmot.clustering import keras

__all__ = ["keras"]
