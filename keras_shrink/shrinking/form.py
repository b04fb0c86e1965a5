"""A model between two steps: float weights, and how they are to be turned into integers."""

from __future__ import annotations

import dataclasses
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_shrink import select
from keras_shrink.clustering.cluster import cluster
from keras_shrink.quantization.config import Int8
from keras_shrink.quantization.fake_quant import WeightRounding
from keras_shrink.quantization.quantize import calibrate
from keras_shrink.rebuild import rebuild
from keras_shrink.weights import Transformed
from keras_shrink.whole_file import write_whole


@dataclass(frozen=True, eq=False)
class Form:
    """What the techniques change.

    Attributes:
        model: A plain float model.
        four_bits: Names of the layers whose weights get 4 bits instead of 8.
        clusters: How many values each channel of a kernel has, None for any number.
        strips: In how many strips of rows the standalone C runs its first operators.
    """

    model: keras.Model
    four_bits: tuple[str, ...] = ()
    clusters: int | None = None
    strips: int = 1

    def calibrated(self, inputs):
        """Returns the integer model with the ranges that `inputs` need: what is trained, and exported.

        Raises:
            ValueError: If a layer has no integer form.
        """
        model = self.model
        if self.clusters is not None:
            with warnings.catch_warnings():  # small kernels are better off without a table
                warnings.filterwarnings("ignore", message=r"\d+ kernel\(s\) stay as they are")
                model = cluster(model, self.clusters, per_channel=True)
        if not self.four_bits:
            return calibrate(model, inputs, strict=True)
        others = [layer.name for layer in kernel_layers(self.model) if layer.name not in self.four_bits]
        overrides = {select.by_name(*others): Int8()} if others else None
        return calibrate(model, inputs, Int8(weight_bits=4), overrides=overrides, strict=True)

    def absorbing(self, integer):
        """Returns the form with the float weights that training left in an integer model.

        A model with a layer that quantization took apart keeps the weights it had.
        """
        trained = {layer.name: layer for layer in integer._flatten_layers(include_self=False)}
        model, values = rebuild(self.model), []
        for layer in _owners(model):
            found = trained.get(layer.name)
            arrays = None if found is None else _weights_of(found)
            if arrays is None or [a.shape for a in arrays] != [tuple(w.shape) for w in layer.weights]:
                return self
            values.append((layer, arrays))
        for layer, arrays in values:
            layer.set_weights(arrays)
        return dataclasses.replace(self, model=model)


def kernel_layers(model):
    """Returns the layers of a model that have kernels, in the model's order."""
    owners = {id(kernel.layer): kernel.layer for kernel in select.find_kernels(model)}
    return list(owners.values())


def save(folder, stem, form: Form, integer, **facts):
    """Writes a form and its integer model as files of the folder, the one that is looked for first last."""
    folder = Path(folder)
    write_whole(folder / f"{stem}.keras", integer.save)
    write_whole(folder / f"{stem}_float.keras", form.model.save)
    entry: dict[str, Any] = {"four_bits": form.four_bits, "clusters": form.clusters, "strips": form.strips}
    text = json.dumps({"form": entry, **facts})
    write_whole(folder / f"{stem}.json", lambda waiting: waiting.write_text(text, encoding="utf-8"))


def load(folder, stem):
    """Returns the form, the integer model and the further facts that `save` wrote; None without files."""
    folder = Path(folder)
    path = folder / f"{stem}.json"
    if not path.exists():
        return None
    facts = json.loads(path.read_text(encoding="utf-8"))
    entry = facts.pop("form")
    model = keras.saving.load_model(folder / f"{stem}_float.keras", compile=False)
    integer = keras.saving.load_model(folder / f"{stem}.keras", compile=False)
    return Form(model, tuple(entry["four_bits"]), entry["clusters"], entry["strips"]), integer, facts


def _owners(model):
    """Returns the layers of a model, at any depth, whose weights are their own; each once."""
    found = [layer for layer in model._flatten_layers(include_self=False) if layer.weights]
    inner = {id(sub) for layer in found if not isinstance(layer, keras.Model)
             for sub in layer._flatten_layers(include_self=False)}  # fmt: skip
    return [layer for layer in found if not isinstance(layer, keras.Model) and id(layer) not in inner]


def _weights_of(layer):
    """Returns the arrays of a layer as its integer form trained them, before rounding."""
    if not isinstance(layer, Transformed):
        return [keras.ops.convert_to_numpy(weight) for weight in layer.weights]
    values = {id(weight): keras.ops.convert_to_numpy(weight) for weight in layer.layer.weights}
    for name, chain in layer.weight_transforms.items():
        value = keras.ops.convert_to_tensor(layer.variable(name))
        for step in chain:
            if not isinstance(step, WeightRounding):
                value = step(value)
        values[id(layer.variable(name))] = keras.ops.convert_to_numpy(value)
    return list(values.values())
