"""Layers with weights that TFLite computes by another operator than their name says."""

import keras
import tensorflow as tf

from keras_shrink.weights import Transformed


@keras.saving.register_keras_serializable("keras_shrink")
class TableLookup(Transformed):
    """An Embedding: rows picked from a table of integers, whose scale the result has."""

    num_bits = 8

    @property
    def result_range(self):
        """What says on which grid the result is."""
        return self

    def ends(self):
        """Returns the ends of the range of the table's integers, float64: one more below zero."""
        largest = tf.cast(tf.reduce_max(tf.abs(self.transformed("embeddings"))), tf.float64)
        return -largest * (128.0 / 127.0), largest

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output; the table is rounded, so there is nothing left to round."""
        return tf.gather(self.transformed("embeddings", training), inputs)
