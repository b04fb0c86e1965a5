"""The errors that say what is wrong with a model or with its conversion."""


class ModelError(ValueError):
    """A `.tflite` that cannot be read, or that holds what the requested step does not support."""


class ConversionError(RuntimeError):
    """A Keras model that TensorFlow's converter refused, or that crashed it."""
