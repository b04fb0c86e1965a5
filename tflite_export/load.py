"""Loads Keras models from files, old ones included."""

import json
import shutil
import tempfile
from pathlib import Path


def load_keras(path):
    """Returns the Keras model stored in a `.keras` or `.h5` file, uncompiled.

    Old `.h5` files whose DepthwiseConv2D layers carry a `groups` key, which Keras 3 refuses, load:
    the key never had a meaning there.

    Raises:
        ValueError: If the file is not a Keras model or cannot be rebuilt.
        FileNotFoundError: If there is no such file.
    """
    import keras

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no such file. Received: path={str(path)!r}.")
    try:
        if path.suffix in (".h5", ".hdf5"):
            return _load_h5(path)
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{str(path)!r} cannot be loaded as a Keras model: {first}") from error


def _load_h5(path):
    import h5py
    import keras

    with h5py.File(path, "r") as file:
        stored = file.attrs.get("model_config")
    if stored is None:
        raise ValueError("it holds weights only; save the whole model with model.save(...)")
    config = json.loads(stored)
    if not _drop_groups(config):
        return keras.models.load_model(path, compile=False)
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(path, folder)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = json.dumps(config)
        return keras.models.load_model(copy, compile=False)


def _drop_groups(node) -> bool:
    """Removes `groups` from every DepthwiseConv2D below `node`; returns whether there was one."""
    if isinstance(node, list):
        return sum(_drop_groups(item) for item in node) > 0
    if not isinstance(node, dict):
        return False
    found = node.get("class_name") == "DepthwiseConv2D" and "groups" in node.get("config", {})
    if found:
        del node["config"]["groups"]
    return sum(_drop_groups(item) for item in node.values()) > 0 or found
