"""Clustering as `tfmot.clustering.keras`, done by `keras_shrink.cluster`."""

from keras_shrink.compat.tfmot.clustering.keras import experimental
from keras_shrink.compat.tfmot.clustering.keras.summaries import ClusteringSummaries
from keras_shrink.compat.tfmot.clustering.keras.wrapping import (
    CentroidInitialization,
    ClusterableLayer,
    ClusterWeights,
    cluster_scope,
    cluster_weights,
    strip_clustering,
)

__all__ = [
    "CentroidInitialization",
    "ClusterWeights",
    "ClusterableLayer",
    "ClusteringSummaries",
    "cluster_scope",
    "cluster_weights",
    "experimental",
    "strip_clustering",
]


def __getattr__(name):
    if name == "ClusteringAlgorithm":
        raise AttributeError(
            "ClusteringAlgorithm has no counterpart: keras_shrink.cluster assigns weights to values once, by "
            "k-means, and trains the values. Choose the start with cluster_centroids_init, or register what "
            "is clustered with keras_shrink.select.kernels."
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
