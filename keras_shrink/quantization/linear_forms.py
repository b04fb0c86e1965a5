"""Layers with weights that TFLite computes by another operator than their name says."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import tensorflow as tf

from keras_shrink.weights import Transformed


@dataclass(frozen=True)
class _TableEnds:
    """The range of a table's integers."""

    lookup: TableLookup
    num_bits = 8

    def ends(self):
        """Returns both ends, float64: one integer more below zero."""
        largest = tf.cast(tf.reduce_max(tf.abs(self.lookup.transformed("embeddings"))), tf.float64)
        return -largest * (128.0 / 127.0), largest


@keras.saving.register_keras_serializable("keras_shrink")
class TableLookup(Transformed):
    """An Embedding: rows picked from a table of integers, whose scale the result has."""

    @property
    def result_range(self):
        """What says on which grid the result is."""
        return _TableEnds(self)

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output; the table is rounded, so there is nothing left to round."""
        return tf.gather(self.transformed("embeddings", training), inputs)
