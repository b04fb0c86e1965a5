"""Layers that move the time axis, of which TimeDistributed and Bidirectional are made."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("keras_shrink")
class FoldTime(keras.layers.Layer):
    """Makes of each step a sample: (batch, steps, ...) to (batch * steps, ...)."""

    def call(self, inputs):
        """Returns the same values."""
        return tf.reshape(inputs, (-1, *inputs.shape[2:]))

    def compute_output_shape(self, input_shape):
        """The batch grows."""
        batch, steps, *rest = input_shape
        return (None if None in (batch, steps) else batch * steps, *rest)


@keras.saving.register_keras_serializable("keras_shrink")
class UnfoldTime(keras.layers.Layer):
    """Undoes `FoldTime`.

    Args:
        steps: Number of steps of a sample.
    """

    def __init__(self, steps, **kwargs):
        super().__init__(**kwargs)
        self.steps = steps

    def call(self, inputs):
        """Returns the same values."""
        return tf.reshape(inputs, (-1, self.steps, *inputs.shape[1:]))

    def compute_output_shape(self, input_shape):
        """The batch shrinks."""
        batch, *rest = input_shape
        return (None if batch is None else batch // self.steps, self.steps, *rest)

    def get_config(self):
        """The number of steps."""
        return {**super().get_config(), "steps": self.steps}


@keras.saving.register_keras_serializable("keras_shrink")
class ReverseTime(keras.layers.Layer):
    """Turns the order of the steps round."""

    def call(self, inputs):
        """Returns the same values."""
        return reverse_time(inputs)

    def compute_output_shape(self, input_shape):
        """As the input."""
        return input_shape


def reverse_time(x):
    """Returns `x` with its steps, axis 1, in the opposite order; an operator that every runtime has."""
    return tf.gather(x, list(range(x.shape[1] - 1, -1, -1)), axis=1)
