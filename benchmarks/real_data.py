"""Real data and models for the benchmarks: folders named by KERAS_SHRINK_DATA and KERAS_SHRINK_MODELS."""

import importlib.util
import os
import sys
from pathlib import Path


def load(name):
    """Returns `((x_train, y_train), (x_test, y_test))` of a data set, as stored.

    Args:
        name: A data set of the folder KERAS_SHRINK_DATA, read by its `datasets.py`; without the folder,
            `mnist`, `fashion_mnist` or `cifar10` come from `keras.datasets`.
    """
    folder = os.environ.get("KERAS_SHRINK_DATA")
    if folder:
        spec = importlib.util.spec_from_file_location("benchmark_datasets", Path(folder) / "datasets.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.load(name)
    import keras

    if not hasattr(keras.datasets, name):
        sys.exit(f"{name} is needed: set KERAS_SHRINK_DATA to the folder that has it.")
    (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    return (x_train, y_train.reshape(-1)), (x_test, y_test.reshape(-1))


def model_path(name):
    """Returns the path of a trained Keras model in the folder KERAS_SHRINK_MODELS."""
    folder = os.environ.get("KERAS_SHRINK_MODELS")
    if not folder:
        sys.exit(f"{name} is needed: set KERAS_SHRINK_MODELS to the folder that has keras/{name}.")
    return Path(folder) / "keras" / name
