"""`cluster_weights` where guides import it from when they keep zeros: it is the same function here."""

from keras_shrink.compat.tfmot.clustering.keras.wrapping import cluster_weights

__all__ = ["cluster_weights"]
