"""Architecture search under the limits of a device: what `search_architecture` takes."""

import importlib

_HOMES: dict[str, str] = {
    "Gradient": "gradient",
    "Limits": "limits",
    "Reinforce": "reinforcement",
    "RegularizedEvolution": "evolution",
    "Sketch": "sketch",
    "Trainer": "training",
    "build": "building",
    "cost_of": "costs",
}  # public name -> module that defines it
_MODULES: tuple[str, ...] = ("spaces",)

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"keras_shrink.search.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"keras_shrink.search.{name}")
    raise AttributeError(f"module 'keras_shrink.search' has no attribute {name!r}")
