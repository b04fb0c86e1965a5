import collections
import gc
import os

import pytest

# Before TensorFlow is imported by any test.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# A worker of the tests has a core of its own: threads that wait for one another only cost, for steps as small
# as these up to 40 percent.
for pool in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(pool, "1")

# Tracing makes many objects and little garbage: looking for it less often saves a tenth of the time.
gc.set_threshold(50_000, 20, 20)


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, then those with many: no worker is left alone with one at the end."""
    slow = collections.Counter(item.path for item in items if item.get_closest_marker("slow"))
    count = collections.Counter(item.path for item in items)
    items.sort(key=lambda item: (-slow[item.path], -count[item.path], item.path))


@pytest.fixture(scope="session")
def example_tflite():
    """The model.tflite of the examples in docstrings and pages: 8 x 8 pixels, three classes."""
    import keras
    import numpy as np

    import tflite_export as te

    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax"),
    ]
    x = np.random.default_rng(0).random((50, 8, 8, 1), "float32")
    return te.convert(keras.Sequential(layers), x).bytes
