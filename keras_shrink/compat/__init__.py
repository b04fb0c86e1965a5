"""Moving over from tensorflow-model-optimization: its calls for Keras 3 models, and models saved from it."""

import importlib

_HOMES = {"load_tfmot": "from_tfmot.load"}  # public name -> module that defines it

__all__ = ["load_tfmot", "tfmot"]


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"keras_shrink.compat.{_HOMES[name]}"), name)
    if name == "tfmot":
        return importlib.import_module("keras_shrink.compat.tfmot")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
