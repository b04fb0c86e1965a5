"""Quantized models, whose `evaluate` and `predict` round as the device does."""

import keras

from keras_shrink.quantization.device_rounding import device_roundings
from keras_shrink.weights import results_through


class _EvaluatedOnDevice:
    """Steps of evaluation and prediction with the roundings of the device."""

    def device_rounding(self):
        """Returns a context in which layers of the model round in inference as the device does."""
        return results_through(device_roundings(self))

    def test_step(self, data):
        """As Keras' own, on the device's grid."""
        with self.device_rounding():
            return super().test_step(data)

    def predict_step(self, data):
        """As Keras' own, on the device's grid."""
        with self.device_rounding():
            return super().predict_step(data)


@keras.saving.register_keras_serializable("keras_shrink")
class QuantizedFunctional(_EvaluatedOnDevice, keras.src.models.functional.Functional):
    """A quantized Functional model."""


@keras.saving.register_keras_serializable("keras_shrink")
class QuantizedSequential(_EvaluatedOnDevice, keras.Sequential):
    """A quantized Sequential model."""


def evaluated_on_device(model):
    """Turns a quantized model into one that evaluates and predicts as the device does, and returns it.

    Training, calls of the model and exports are what they were: with fake quantization.
    """
    is_sequential = isinstance(model, keras.Sequential)
    model.__class__ = QuantizedSequential if is_sequential else QuantizedFunctional
    return model
