"""The files of tf_keras: architecture as a config, and the variables of each layer."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

QUANTIZED = ("QuantizeWrapper", "QuantizeWrapperV2")
CLUSTERED = ("ClusterWeights", "ClusterWeightsRNN", "ClusterWeightsMHA")
_BEFORE_ACTIVATION = ("softmax", "sigmoid", "tanh", "gelu")
_BEHIND_ACTIVATION = ("linear", "relu", "swish", "gelu")
_WAY_OUT = "Save it from tf_keras with model.save('model.h5')."


@dataclass(frozen=True)
class SavedModel:
    """What a file holds.

    Attributes:
        config: The architecture, `{"class_name": ..., "config": ...}`.
        variables: Name of a layer in the file -> its variables in order, each a name and an array. The name
            is `""` where the file has none.
    """

    config: dict[str, Any]
    variables: dict[str, list[tuple[str, np.ndarray]]]


def read_saved(path) -> SavedModel:
    """Returns what a file saved by tf_keras holds.

    Args:
        path: `.h5` file, or `.keras` file of tf_keras.

    Raises:
        ValueError: If it is another file, or holds weights only.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"A SavedModel folder holds no layers. Received: path={str(path)!r}. {_WAY_OUT}")
    if not path.exists():
        raise ValueError(f"There is no such file. Received: path={str(path)!r}.")
    if zipfile.is_zipfile(path):
        return _read_keras(path)
    if not h5py.is_hdf5(path):
        raise ValueError(f"The file is neither HDF5 nor .keras. Received: path={str(path)!r}. {_WAY_OUT}")
    with h5py.File(path) as file:
        config = file.attrs.get("model_config")
        if config is None:
            raise ValueError(
                f"The file holds weights without an architecture. Received: path={str(path)!r}. Save the "
                "whole model with model.save('model.h5')."
            )
        groups = file["model_weights"]
        variables = {name: _variables(groups[name]) for name in groups if name != "top_level_model_weights"}
        return SavedModel(json.loads(config), variables)


def _variables(group):
    names = [_text(name) for name in group.attrs["weight_names"]]
    return [(name.removesuffix(":0"), group[name][()]) for name in names]


def _text(name):
    return name.decode() if isinstance(name, bytes) else name


def _read_keras(path):
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        version = json.loads(archive.read("metadata.json"))["keras_version"]
        weights = io.BytesIO(archive.read("model.weights.h5"))
    if not version.startswith("2."):
        raise ValueError(
            f"The file was saved by Keras 3. Received: path={str(path)!r}. "
            "Load it with keras.models.load_model."
        )
    variables, taken = {}, {}
    with h5py.File(weights) as file:
        for layer in config["config"]["layers"]:
            kind = _snake(layer["class_name"])
            count = taken.setdefault(kind, 0)
            taken[kind] += 1
            group = file["layers"].get(f"{kind}_{count}" if count else kind)
            if layer["class_name"] in CLUSTERED:
                raise ValueError(
                    "Clusters are read from .h5 files only. "
                    f"Received: path={str(path)!r} with a clustered layer. {_WAY_OUT}"
                )
            if group is not None:
                variables[layer["config"]["name"]] = _named(layer, group)
    return SavedModel(config, variables)


def _snake(name):
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _named(layer, group):
    """Returns the variables of a layer, with the names that its kind of wrapper gives them."""
    own = [group["vars"][str(i)][()] for i in range(len(group.get("vars", ())))]
    inner = _all_below(group["layer"]) if "layer" in group else []
    kind = layer["class_name"]
    if kind == "QuantizeLayer":
        return list(zip(("layer_min", "layer_max", "optimizer_step"), own, strict=True))
    if kind == "PruneLowMagnitude":
        masks = [("mask", array) for array in own[:-1:2]]
        return [*(("", array) for array in inner), *masks]
    if kind in QUANTIZED:
        step = next(i for i, array in enumerate(own) if array.dtype == np.int32 and array.shape == ())
        # A layer's trained weights are the wrapper's too; those that it rounds are listed once more.
        weights = inner if len(inner) > step else own[:step]
        pairs = [f"{name}_{end}" for name in _ranges(layer["config"]) for end in ("min", "max")]
        found = dict(zip(pairs, own[step + 1 :], strict=False))
        return [*(("", array) for array in weights), *found.items()]
    return [("", array) for array in _all_below(group)]


def _all_below(group):
    own = [group["vars"][str(i)][()] for i in range(len(group.get("vars", ())))]
    return [
        *own,
        *(a for name in group if name != "vars" and len(group[name]) for a in _all_below(group[name])),
    ]


def _ranges(config):
    """Returns the names of the ranges that a quantized layer has, in the order of its variables."""
    settings = config["quantize_config"]["config"]
    names = list(settings.get("weight_attrs", ()))
    for attribute in settings.get("activation_attrs", ()):
        activation = activation_inside(config["layer"]["config"].get(attribute))
        names += ["pre_activation"] if activation in _BEFORE_ACTIVATION else []
        names += ["post_activation"] if activation in _BEHIND_ACTIVATION else []
    return [*names, "output"] if settings.get("quantize_output") else names


def activation_inside(config):
    """Returns the activation in a config of one that rounds: `"linear"` where there is none.

    Args:
        config: What a layer's config has under `activation`.

    Example:
    >>> activation_inside({"class_name": "QuantizeAwareActivation", "config": {"activation": "relu"}})
    'relu'
    """
    if isinstance(config, dict) and config.get("class_name") == "QuantizeAwareActivation":
        return activation_inside(config["config"]["activation"])
    if isinstance(config, dict) and config.get("class_name") == "NoOpActivation":
        return "NoOpActivation"
    return config
