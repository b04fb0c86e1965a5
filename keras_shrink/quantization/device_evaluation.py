"""Quantized models, whose `evaluate` and `predict` round as the device does."""

import contextlib

import keras

from keras_shrink.quantization.device_rounding import device_roundings
from keras_shrink.quantization.integer_grid import unchanging_grids
from keras_shrink.weights import results_through


class _EvaluatedOnDevice:
    """Steps of evaluation and prediction with the roundings of the device."""

    @contextlib.contextmanager
    def device_rounding(self):
        """A context in which layers of the model round in inference as the device does."""
        with results_through(device_roundings(self)), unchanging_grids():
            yield

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


# `.h5` files name the class of a model without the package that it is registered with.
keras.saving.get_custom_objects().update(
    {kind.__name__: kind for kind in (QuantizedFunctional, QuantizedSequential)}
)
_KINDS = {
    keras.src.models.functional.Functional: QuantizedFunctional,
    keras.Sequential: QuantizedSequential,
}


def evaluated_on_device(model):
    """Turns a quantized model into one that evaluates and predicts as the device does, and returns it.

    Training, calls of the model and exports are what they were: with fake quantization. A model of a class
    of the user's own keeps it, and evaluates so too.
    """
    model.__class__ = _KINDS.get(type(model), type(model))
    return model
