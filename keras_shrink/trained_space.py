"""A search space around a trained model: its layers narrower, smaller or left out, with its weights."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from keras_shrink.channels.cost import Costs
from keras_shrink.channels.groups import Groups
from keras_shrink.channels.plan import ChannelPlan
from keras_shrink.channels.rule import connect
from keras_shrink.channels.scores import class_scores, l2
from keras_shrink.pruning.oneshot import prune
from keras_shrink.quantization.config import Int8
from keras_shrink.quantization.quantize import calibrate
from keras_shrink.rebuild import rebuild

_SPATIAL = (layers.Conv1D, layers.Conv2D, layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_WITH_KERNEL = (*_SPATIAL, layers.Dense)


class SpaceAround:
    """The networks that come from a trained one by taking something away; each starts with its weights.

    A space for `search_architecture`: a function from choices to a Keras model. Narrower layers keep their
    strongest channels, smaller kernels their middle. The first candidate that a search trains is the model
    itself, which is the point of the space where nothing is taken away. The cost of a candidate is taken from
    its converted file.

    The choices, for each layer or group of layers whose channels are tied, by name:
    - `width_NAME`: share of the channels that stay (`widths`);
    - `kernel_NAME`: side of the kernel, odd numbers from 3 up to what it is;
    - `stride_NAME`: 1 or 2, for convolutions of stride 1 where the network behind takes any size;
    - `skip_NAME`: whether a layer whose output has the shape of its input is left out, with its
      normalization;
    - `bits_NAME`: 8 or 4, where `representative_data` is given;
    - `sparsity_NAME`: share of the weights that is zero and stays so (`sparsities`).

    Args:
        model: A trained Functional or Sequential model. It is not touched.
        widths: Shares of channels; 1.0 must be among them.
        sparsities: Shares of zeros; by default none, since zeros save nothing in dense kernels.
        representative_data: Inputs for the ranges of candidates with 4-bit layers, as for `calibrate`.
        multiple: What is left of a layer is a multiple of it.

    Attributes:
        first: The choices that give the model itself.

    Raises:
        ValueError: If the model is subclassed or has no shapes yet, or the space lacks the model itself.

    Example:
    >>> from keras_shrink.search.choices import Chosen
    >>> model = keras.Sequential([keras.Input((8,)), layers.Dense(16, name="fc"), layers.Dense(2)])
    >>> space = SpaceAround(model)
    >>> space.first
    {'width_fc': 1.0}
    >>> [layer.units for layer in space(Chosen({"width_fc": 0.5})).layers]
    [8, 2]
    """

    def __init__(
        self, model, *, widths=(1.0, 0.75, 0.5, 0.25), sparsities=(0.0,), representative_data=None, multiple=4
    ):
        if 1.0 not in widths or 0.0 not in sparsities:
            raise ValueError(
                "The model itself must be in the space: 1.0 among the widths, 0.0 among the sparsities. "
                f"Received: {widths=}, {sparsities=}."
            )
        self.model = rebuild(model)
        self._widths, self._sparsities, self._data = tuple(widths), tuple(sparsities), representative_data
        network, flow = connect(self.model, lambda layer: True)
        self._groups = Groups.of(network, multiple)
        self._costs = Costs(self.model, network, flow)
        self._strength = class_scores(self.model, network, self._groups, l2)
        self._families = {
            f"width_{family.sources[0].layer.name}": family
            for family in self._groups.families
            if family.cuts() and not np.isnan(self._strength[family.classes]).any()
        }
        inner = [layer for layer in self.model.layers if isinstance(layer, _WITH_KERNEL)]
        self._kernels = [layer.name for layer in inner]
        self._sizes = {layer.name: sizes for layer in inner if len(sizes := _sizes(layer)) > 1}
        self._skipped = [layer.name for layer in inner if _keeps_the_shape(layer)]
        self._strided = [layer.name for layer in inner if self._takes_a_stride(layer)]
        asking = _TheModelItself()
        self(asking)
        self.first = asking.values

    def __call__(self, choices):
        """Returns the candidate of these choices."""
        shares = {name: choices.categorical(name, self._widths) for name in self._families}
        changes = {
            name: {
                "size": choices.categorical(f"kernel_{name}", self._sizes[name])
                if name in self._sizes
                else None,
                "stride": choices.categorical(f"stride_{name}", (1, 2)) if name in self._strided else 1,
                "skip": name in self._skipped and choices.categorical(f"skip_{name}", (False, True)),
            }
            for name in self._kernels
        }
        zeros = {
            name: share
            for name in self._kernels
            if len(self._sparsities) > 1
            and (share := choices.categorical(f"sparsity_{name}", self._sparsities)) > 0
        }
        coarse = [
            name
            for name in self._kernels
            if self._data is not None and choices.categorical(f"bits_{name}", (8, 4)) == 4
        ]
        model = _changed(self._narrowed(shares), changes)
        for share in sorted(set(zeros.values())):
            model = prune(model, share, layers=[model.get_layer(n) for n in zeros if zeros[n] == share])
        if coarse:
            chosen = [model.get_layer(name) for name in coarse]
            config = {tuple(chosen): Int8(weight_bits=4)}
            model = calibrate(model, self._data, overrides=config, strict=True)
        return model

    def _narrowed(self, shares):
        alive = np.ones(self._groups.count, bool)
        for name, share in shares.items():
            family = self._families[name]
            if share < 1:
                left = [count for count in family.cuts() if count >= share * len(family.classes)]
                keep = left[-1] if left else family.cuts()[0]
                order = family.classes[np.argsort(self._strength[family.classes], kind="stable")]
                alive[order[: len(order) - keep]] = False
        return self.model if alive.all() else ChannelPlan.of(self._costs, self._groups, alive).apply()

    def _takes_a_stride(self, layer):
        if not isinstance(layer, _SPATIAL) or set(layer.strides) != {1} or layer.padding != "same":
            return False
        try:
            strided = _changed(self.model, {layer.name: {"size": None, "stride": 2, "skip": False}})
        except ValueError:  # shapes that do not meet behind it
            return False
        shapes = [[weight.shape for weight in model.weights] for model in (self.model, strided)]
        return shapes[0] == shapes[1] and strided.output_shape == self.model.output_shape


class _TheModelItself:
    """Answers with what takes nothing away."""

    def __init__(self):
        self.values = {}

    def categorical(self, name, options):
        """Returns the share 1, the largest kernel, stride 1, 8 bits, no zeros, nothing left out."""
        most = name.startswith(("width_", "kernel_", "bits_"))
        self.values[name] = max(options) if most else min(options)
        return self.values[name]


def _sizes(layer):
    if not isinstance(layer, _SPATIAL) or len(set(layer.kernel_size)) > 1 or layer.padding != "same":
        return ()
    size = layer.kernel_size[0]
    return (*range(3, size, 2), size) if size % 2 else (size,)


def _keeps_the_shape(layer):
    return layer.input.shape == layer.output.shape


def _changed(model, changes):
    """Returns a copy with other kernels and strides, and without the layers that are skipped."""
    left_out, smaller = set(), []

    def exchange(copy, original):
        if isinstance(original, layers.BatchNormalization) and _source(original) in left_out:
            return layers.Activation("linear", name=original.name)
        change = changes.get(original.name)
        if change is None or not isinstance(original, _WITH_KERNEL):
            return copy
        if change["skip"] and _keeps_the_shape(original):
            left_out.add(original.name)
            return layers.Activation("linear", name=original.name)
        config = original.get_config()
        if change["size"] is not None and change["size"] < original.kernel_size[0]:
            config["kernel_size"] = (change["size"],) * len(original.kernel_size)
        if change["stride"] != 1:
            config["strides"] = (change["stride"],) * len(original.strides)
        if config == original.get_config():
            return copy
        smaller.append((original.__class__.from_config(config), original))
        return smaller[-1][0]

    changed = rebuild(model, exchange)
    for new, old in smaller:
        for target, source in zip(new.weights, old.weights, strict=True):
            starts = [(a - b) // 2 for a, b in zip(source.shape, target.shape, strict=True)]
            middle = tuple(slice(s, s + n) for s, n in zip(starts, target.shape, strict=True))
            target.assign(keras.ops.convert_to_numpy(source)[middle])
    return changed


def _source(layer):
    """Returns the name of the layer whose output a layer reads."""
    return layer.input._keras_history.operation.name
