"""Networks scaled as a whole: wider or narrower, deeper or shallower, on larger or smaller inputs."""

from __future__ import annotations

import inspect


def scale(model_fn, width=1.0, depth=1.0, resolution=1.0, **settings):
    """Returns the model that `model_fn` makes when it is scaled in three directions at once.

    Compound scaling: a budget spent on width, depth and resolution together buys more accuracy than one
    spent on width alone. Multiplications grow with `width**2 * depth * resolution**2`. EfficientNet's
    steps are factors of 1.1, 1.2 and 1.15 to the power of one common number, which may be negative.

    Args:
        model_fn: A function with the keyword arguments `width`, `depth` and `input_shape`, such as
            those of `keras_shrink.zoo`, or one of your own; those it does not have must stay 1.
        width: Factor on the channels of every layer.
        depth: Factor on the number of blocks.
        resolution: Factor on all sides of the input but the channels, rounded to a multiple of 8 where
            the side itself is one, else to whole numbers.
        **settings: Further arguments of `model_fn`; an `input_shape` among them is the one to scale.

    Raises:
        ValueError: If a factor is not positive, or if `model_fn` has no argument for it.

    Example:
    >>> import keras_shrink as ks
    >>> model = ks.scale(ks.zoo.mobilenet_v1, width=0.125, depth=1.0, resolution=0.67)
    >>> model.input_shape
    (None, 64, 64, 3)

    Reference:
        Tan and Le, 2019, arXiv:1905.11946.
    """
    parameters = inspect.signature(model_fn).parameters
    free = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for name, factor in (("width", width), ("depth", depth), ("resolution", resolution)):
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not factor > 0:
            raise ValueError(f"{name} must be a number greater than 0. Received: {name}={factor!r}.")
        argument = "input_shape" if name == "resolution" else name
        if factor != 1 and argument not in parameters and not free:
            raise ValueError(
                f"{_name(model_fn)} has no argument {argument!r}, so it cannot be scaled in {name}. "
                f"Received: {name}={factor}. Give the function that argument, or leave {name} at 1."
            )
    for name, factor in (("width", width), ("depth", depth)):
        if name in parameters or free:
            settings[name] = factor
    if resolution != 1:
        settings["input_shape"] = _scaled_shape(_shape(model_fn, parameters, settings), resolution)
    return model_fn(**settings)


def _shape(model_fn, parameters, settings):
    if "input_shape" in settings:
        return settings["input_shape"]
    known = parameters.get("input_shape")
    if known is None or known.default is inspect.Parameter.empty:
        raise ValueError(
            f"{_name(model_fn)} has no default input_shape to scale. Pass one: input_shape=(32, 32, 3)."
        )
    return known.default


def _scaled_shape(shape, factor):
    *sides, channels = shape
    return (*(_scaled_side(side, factor) for side in sides), channels)


def _scaled_side(side, factor):
    multiple = 8 if side % 8 == 0 else 1
    return max(multiple, round(side * factor / multiple) * multiple)


def _name(function):
    return getattr(function, "__name__", repr(function))
