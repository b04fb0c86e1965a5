"""Layers that stay float inside an integer network."""

import keras
import tensorflow as tf

from keras_shrink.quantization.ranges import is_observing
from keras_shrink.weights import Transformed


@keras.saving.register_keras_serializable("keras_shrink")
class FloatIsland(Transformed):
    """A layer that was left out: it computes on floats, and the file converts before and behind it.

    Args:
        layer: The layer.
        entered: Positions of the inputs that come as integers.
        **kwargs: As `Transformed`.
    """

    tflite_dtype = "float32"  # what `tflite_export.convert` asks for: here the file may hold floats

    def __init__(self, layer, *, entered=(), **kwargs):
        super().__init__(layer, **kwargs)
        self.entered = tuple(entered)

    @classmethod
    def planned(cls, layer, treatment, **parts):
        """Which inputs come as integers depends on the graph."""
        return cls(layer, entered=treatment.entered, **parts)

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        if not training and not is_observing():
            flat = keras.tree.flatten(inputs)
            flat = [_dequantized(x) if i in self.entered else x for i, x in enumerate(flat)]
            inputs = keras.tree.pack_sequence_as(inputs, flat)
        return super().run_layer(inputs, training, **kwargs)

    def get_config(self):
        """The positions travel along."""
        return {**super().get_config(), "entered": list(self.entered)}


def _dequantized(x):
    # The converter computes with integers whatever lies between two roundings. Two subtractions, which change
    # nothing and which it neither quantizes nor removes, keep the layer from lying there.
    return 0.0 - (0.0 - x) if tf.as_dtype(x.dtype).is_floating else x
