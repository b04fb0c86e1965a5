"""`shrink`: a budget in, a small model out; what it takes. The only folder that composes the techniques."""

import importlib

_HOMES: dict[str, str] = {
    "Planned": "recipe",
    "Recipe": "recipe",
    "ShrinkResult": "result",
    "StepRecord": "record",
    "Training": "training",
    "read_recipe": "recipe",
}  # public name -> module that defines it

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"keras_shrink.shrinking.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'keras_shrink.shrinking' has no attribute {name!r}")
