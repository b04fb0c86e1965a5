"""Layers with weights that TFLite computes by another operator than their name says."""

import keras
import tensorflow as tf

from keras_shrink.weights import Transformed


@keras.saving.register_keras_serializable("keras_shrink")
class TableLookup(Transformed):
    """An Embedding: rows picked from a table of integers, whose scale the result has."""

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output; the table is rounded, so there is nothing left to round."""
        return tf.gather(self.transformed("embeddings", training), inputs)
