"""What wrappers hold, when models are copied."""

import contextlib

import keras

_HELD = ("layer", "quantize_config", "pruning_schedule", "quantizer")


@contextlib.contextmanager
def inner_classes(model):
    """While active, what wrappers hold is copied though its classes are not registered.

    That is a layer, a `QuantizeConfig`, a schedule or a quantizer, of a class that the user may have defined
    anywhere. A scope that the user has opened goes on counting.

    Args:
        model: A Keras model.

    Example:
    >>> with inner_classes(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])):
    ...     pass
    """
    held = [getattr(layer, name, None) for layer in model._flatten_layers() for name in _HELD]
    known = keras.saving.get_custom_objects()
    added = {type(each).__name__: type(each) for each in held if each is not None}
    added = {name: kind for name, kind in added.items() if name not in known}
    known.update(added)
    try:
        yield
    finally:
        for name in added:
            del known[name]
