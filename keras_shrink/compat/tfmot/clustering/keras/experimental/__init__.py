"""Clustering as `tfmot.clustering.keras.experimental`."""

from keras_shrink.compat.tfmot.clustering.keras.experimental import cluster

__all__ = ["cluster"]
