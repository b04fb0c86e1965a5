"""Put an integer network on a device: conversion, reading, verification and C.

Only `convert` needs TensorFlow. Importing this package loads nothing heavy: each public name is
imported from its module when it is first used.
"""

import importlib
import sys
import types

_HOMES: dict[str, str] = {
    "ConversionError": "errors",
    "Graph": "graph",
    "ModelError": "errors",
    "TFLiteModel": "model",
    "EmulationError": "emulation.toolchain",
    "check": "preflight",
    "convert": "convert",
    "emulate": "emulation.profile",
    "ModelCard": "model_metadata",
    "plan_arena": "offline_plan",
    "read": "read",
    "read_card": "model_metadata",
    "slim": "slim",
    "summary": "summary",
    "write_project": "projects.write",
    "write_card": "model_metadata",
    "write_c": "c.write",
    "verify": "verify",
    "write_c_array": "c.array",
}  # public name -> module that defines it
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


class _Package(types.ModuleType):
    """Keeps `tflite_export.read` the function once the module of the same name is imported."""

    def __setattr__(self, name, value):
        if isinstance(value, types.ModuleType) and _HOMES.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
