"""Loading of models whose layers this package defines."""

from __future__ import annotations

import importlib

# The modules that define what `.keras` and `.h5` files can name, or import those that do.
_DEFINE = (
    "compat.tfmot.clustering.keras.wrapping",
    "compat.tfmot.quantization.keras.annotation",
    "compat.tfmot.quantization.keras.quantizers",
    "compat.tfmot.sparsity.keras.wrapping",
    "distillation.distiller",
    "distillation.features",
    "distillation.outputs",
    "pruning.oneshot",
    "quantization.folding",
    "quantization.quantize",
    "simulation.simulate",
)


def register_layers():
    """Makes the layers of this package known to Keras, which does not import a module that a file names.

    Example:
    >>> import keras
    >>> register_layers()
    >>> keras.saving.get_registered_object("keras_shrink>Transformed").__name__
    'Transformed'
    """
    for name in _DEFINE:
        importlib.import_module(f"keras_shrink.{name}")


def load_uncompiled(path):
    """Returns the model in a `.keras` or `.h5` file as `tflite_export.load` does, with these layers too."""
    from tflite_export.load import load_keras

    register_layers()
    return load_keras(path)


def load_model(path, **options):
    """Returns the model in a `.keras` or `.h5` file, also a quantized, clustered or distilled one.

    `keras.saving.load_model` knows the layers of this package only where they were used before; in a program
    that only loads, use this.

    Args:
        path: Path of the file.
        **options: As `keras.saving.load_model` takes them: `compile`, `safe_mode`, `custom_objects`.

    Raises:
        ValueError: As `keras.saving.load_model`.

    Example:
    >>> import tempfile
    >>> import keras, numpy as np, keras_shrink as ks
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ks.calibrate(model, np.random.rand(100, 4)).save(f"{folder}/int8.keras")
    ...     loaded = ks.load_model(f"{folder}/int8.keras")
    >>> loaded.count_params() > model.count_params()
    True
    """
    import keras

    register_layers()
    return keras.saving.load_model(path, **options)
