"""Looking at a model: where its size, its time and its errors come from."""

import importlib

_HOMES: dict[str, str] = {
    "compare": "comparison",
    "quantization_error": "layer_errors",
    "sensitivity": "kernel_sensitivity",
}  # public name -> module that defines it

__all__ = [*_HOMES]


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"keras_shrink.analysis.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'keras_shrink.analysis' has no attribute {name!r}")
