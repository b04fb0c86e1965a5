"""What clustering did, written to TensorBoard."""

import os

import keras
import numpy as np

from keras_shrink.weights import SharedValues


class ClusteringSummaries(keras.callbacks.TensorBoard):
    """Writes a histogram of the shared values of each clustered weight to TensorBoard.

    Args:
        log_dir: Folder of the logs.
        cluster_update_freq: `"epoch"`, `"batch"` or a number of batches between two writings.
        **kwargs: As for `keras.callbacks.TensorBoard`.

    Example:
    >>> import tempfile
    >>> ClusteringSummaries(log_dir=tempfile.mkdtemp()).every
    """

    def __init__(self, log_dir="logs", cluster_update_freq="epoch", **kwargs):
        if not isinstance(log_dir, str) or not log_dir:
            raise ValueError(f"log_dir must be the name of a folder. Received: log_dir={log_dir!r}.")
        super().__init__(log_dir=log_dir, **kwargs)
        self.every = {"epoch": None, "batch": 1}.get(cluster_update_freq, cluster_update_freq)
        self._writer_of_values = None
        self._batches = 0

    def on_train_batch_end(self, batch, logs=None):
        """Counts batches, and writes where it is time."""
        super().on_train_batch_end(batch, logs)
        self._batches += 1
        if self.every is not None and self._batches % self.every == 0:
            self._write_values()

    def on_epoch_end(self, epoch, logs=None):
        """Writes where it is time."""
        super().on_epoch_end(epoch, logs)
        if self.every is None:
            self._write_values()

    def _write_values(self):
        import tensorflow as tf

        if self._writer_of_values is None:
            self._writer_of_values = tf.summary.create_file_writer(os.path.join(self.log_dir, "clustering"))
        with self._writer_of_values.as_default():
            for layer in self.model._flatten_layers():
                if isinstance(layer, SharedValues):
                    values = np.asarray(layer.table.numpy())
                    tf.summary.histogram(layer.table.path, values, step=self._batches)
        self._writer_of_values.flush()
