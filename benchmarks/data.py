"""Data sets and trained models for the benchmarks, from outside the project.

`KERAS_SHRINK_DATA` names a folder with a `datasets.py` that has `load(name)`; without it, `keras.datasets`
serves where it has the set. `KERAS_SHRINK_MODELS` names a folder with `keras/` and `tflite/`.
"""

import importlib.util
import os
import sys
from pathlib import Path


def load(name):
    """Returns `((x_train, y_train), (x_test, y_test))` as stored."""
    folder = os.environ.get("KERAS_SHRINK_DATA")
    if folder:
        spec = importlib.util.spec_from_file_location("datasets", Path(folder, "datasets.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.load(name)
    import keras

    if hasattr(keras.datasets, name):
        return getattr(keras.datasets, name).load_data()
    sys.exit(
        f"The data set {name!r} is not in keras.datasets. Set KERAS_SHRINK_DATA to a folder that has it."
    )


def model_path(name):
    """Returns the path of a trained model such as `keras/mlperf_resnet8.h5`."""
    folder = os.environ.get("KERAS_SHRINK_MODELS")
    path = Path(folder, name) if folder else None
    if path is None or not path.is_file():
        sys.exit(
            f"{name} is missing. Set KERAS_SHRINK_MODELS to the folder that has it. Received: {folder!r}."
        )
    return path
