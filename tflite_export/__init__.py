"""Put an integer network on a device: conversion, reading, verification and C.

Only `convert` needs TensorFlow. Importing this package loads nothing heavy: each public name is
imported from its module when it is first used.
"""

import importlib

_HOMES: dict[str, str] = {}  # public name -> module that defines it
_MODULES: tuple[str, ...] = ()  # public modules

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"tflite_export.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"tflite_export.{name}")
    raise AttributeError(f"module 'tflite_export' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
