"""Models that train in mixed precision, computed in float32 while they are traced."""

from __future__ import annotations

import contextlib


@contextlib.contextmanager
def single_precision(model):
    """While active, layers of `model` whose variables are float32 compute in float32.

    Args:
        model: A Keras model; of anything else nothing is changed.
    """
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else ()
    mixed = [
        (layer, layer.dtype_policy)
        for layer in layers
        if layer.variable_dtype == "float32" and layer.compute_dtype in ("float16", "bfloat16")
    ]
    try:
        for layer, _ in mixed:
            layer.dtype_policy = "float32"
        yield
    finally:
        for layer, policy in mixed:
            layer.dtype_policy = policy
