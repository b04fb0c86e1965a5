"""Activations that are no operator of their own."""

import keras

from keras_shrink.weights import Transformed


@keras.saving.register_keras_serializable("keras_shrink")
class ActivationInRounding(Transformed):
    """A ReLU or ReLU6 layer that the rounding of its output computes along with it."""

    def run_layer(self, inputs, training, **kwargs):
        """Returns what the rounding takes: the inputs. Without rounding the layer runs as it is."""
        return inputs if self.outputs_through else super().run_layer(inputs, training, **kwargs)
