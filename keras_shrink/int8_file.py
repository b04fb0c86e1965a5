"""The int8 model and the file that a float model becomes when nobody trains it further."""

from __future__ import annotations

from keras_shrink.quantization.quantize import calibrate, is_quantized
from tflite_export import TFLiteModel, convert, slim


def int8_model(model, inputs):
    """Returns `model` if it is quantized already, else its calibrated copy.

    Args:
        model: A built Functional or Sequential model.
        inputs: Representative inputs, as for `calibrate`.

    Raises:
        ValueError: If a layer has no integer form.
    """
    return model if is_quantized(model) else calibrate(model, inputs, strict=True)


def int8_file(model, inputs):
    """Returns the int8 `.tflite` of a model, slimmed without loss; arguments as `int8_model`."""
    return TFLiteModel(slim(convert(int8_model(model, inputs))))
