"""The channels of a model as numbers, tied together where the graph ties them.

Every channel that some layer makes gets a number of its own. Walking through the model, each tensor carries
the numbers along one of its axes: a concatenation joins the lists, a flatten repeats them, an addition ties
two lists to one another. Tied channels can only be cut together. Each weight notes which numbers lie along
which of its axes, so that cutting is indexing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Signal:
    """A tensor and the channels along one of its axes.

    Attributes:
        shape: Its shape, batch included; None where it is not known.
        axis: The axis along which the channels lie.
        ids: The number of the channel at each place of this axis; empty where its length is not known.
    """

    shape: tuple[int | None, ...]
    axis: int
    ids: np.ndarray

    @property
    def positions(self):
        """How often each channel occurs in one sample; a dimension that is not known counts once."""
        return math.prod(n or 1 for axis, n in enumerate(self.shape) if axis not in (0, self.axis))


@dataclass(frozen=True, eq=False)
class Weight:
    """A variable, and which channels lie along its axes.

    Attributes:
        variable: The `keras.Variable`.
        axes: Axis -> numbers of the channels along it. Axes that are missing stay as they are.
        makes: The axis of the channels that this weight makes; None for none.
        role: What it does along its other axes: `"reads"` channels as a kernel does, `"scales"` them one by
            one as a gamma does, or `"shifts"` them as biases and statistics do.
    """

    variable: Any
    axes: dict[int, np.ndarray]
    makes: int | None = None
    role: str = "reads"

    def role_along(self, axis):
        """Returns what the weight does to the channels along an axis: `role`, or `"makes"` them."""
        return "makes" if axis == self.makes else self.role


@dataclass(frozen=True, eq=False)
class Source:
    """Where channels come from: the filters, units or heads of one layer.

    Attributes:
        layer: The layer.
        what: What the channels are called: "filters", "units" or "heads".
        ids: Their numbers.
        width: How many numbers of a tensor each of them is: 1, or the width of a head.
    """

    layer: Any
    what: str
    ids: np.ndarray
    width: int = 1


@dataclass
class Network:
    """All channels of a model, what ties them, and what depends on how many are left.

    Attributes:
        sources: Where channels come from.
        weights: `id(variable)` -> `Weight`.
        settings: `id(layer)` -> function `(config, kept)` that changes the configuration of the layer, where
            `kept(ids)` is the number of those channels that are left.
        work: `(times, id(variable))`: the multiply-accumulates are `times` the size of the variable.
        products: `(times, ids)`: further ones, `times` the number of those channels that are left.
        signals: Tensor key of the flow -> `Signal`.
        reasons: Channel -> why it has to stay.
    """

    sources: dict[tuple[int, str], Source] = field(default_factory=dict)
    weights: dict[int, Weight] = field(default_factory=dict)
    settings: dict[int, Callable] = field(default_factory=dict)
    work: list[tuple[int, int]] = field(default_factory=list)
    products: list[tuple[int, np.ndarray]] = field(default_factory=list)
    signals: dict[int, Signal] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    _parents: list[int] = field(default_factory=list)

    def channels(self, layer, what, count, width=1):
        """Returns the numbers of the `count` channels a layer makes: the same at every call of the layer."""
        key = id(layer), what
        if key not in self.sources:
            self.sources[key] = Source(layer, what, self._fresh(count), width)
        return self.sources[key].ids

    def fixed(self, count, reason):
        """Returns the numbers of `count` channels that have to stay."""
        ids = self._fresh(count or 0)
        self.pin(ids, reason)
        return ids

    def pin(self, ids, reason):
        """Makes channels stay; the first reason counts."""
        for channel in np.unique(ids).tolist():
            self.reasons.setdefault(channel, reason)

    def tie(self, these, those):
        """Ties channels in pairs; lists of different length cannot be told apart and have to stay."""
        if len(these) != len(those):
            for ids in (these, those):
                self.pin(ids, "an axis of unknown length")
            return
        pairs = np.unique(np.stack([np.ravel(these), np.ravel(those)]), axis=1)
        for a, b in pairs.T.tolist():
            a, b = self._root(a), self._root(b)
            if a != b:
                self._parents[max(a, b)] = min(a, b)

    def weight(self, variable, axes, *, makes=None, role="reads"):
        """Notes which channels lie along the axes of a variable, and ties them at a further call."""
        if variable is None:
            return
        axes = {axis % len(variable.shape): np.asarray(ids) for axis, ids in axes.items()}
        if id(variable) in self.weights:
            for axis, ids in self.weights[id(variable)].axes.items():
                self.tie(ids, axes[axis])
            return
        makes = None if makes is None else makes % len(variable.shape)
        self.weights[id(variable)] = Weight(variable, axes, makes, role)

    def setting(self, layer, change):
        """Notes how the configuration of a layer follows the channels that are left."""
        self.settings[id(layer)] = change

    def works(self, times, variable):
        """Adds `times` one multiply-accumulate per element of a variable."""
        self.work.append((times, id(variable)))

    def classes(self):
        """Returns the class of each channel (channels of one class are cut together) and their number."""
        roots = [self._root(channel) for channel in range(len(self._parents))]
        found, classes = np.unique(np.array(roots, int), return_inverse=True)
        return classes, len(found)

    def _fresh(self, count):
        start = len(self._parents)
        self._parents.extend(range(start, start + count))
        return np.arange(start, start + count)

    def _root(self, channel):
        while self._parents[channel] != channel:
            self._parents[channel] = self._parents[self._parents[channel]]
            channel = self._parents[channel]
        return channel


@dataclass
class Step:
    """One call of a layer, for a rule: what comes in, and what the rule says of it.

    Attributes:
        network: The channels of the model.
        layer: The layer or operation that is called.
        node: The Keras node: its arguments.
        inputs: The signals that come in, in the order of the arguments.
        shapes: Shapes of the tensors that come out.
    """

    network: Network
    layer: Any
    node: Any
    inputs: list[Signal]
    shapes: list[tuple[int | None, ...]]

    def along(self, axis=-1, index=0):
        """Returns the channels along an axis of an input; they have to stay where others lie along it."""
        signal = self.inputs[index]
        axis %= len(signal.shape)
        if signal.axis == axis:
            return signal.ids
        self.network.pin(signal.ids, f"{self.layer.name} mixes their axis")
        return self.network.fixed(signal.shape[axis], f"read by {self.layer.name} along another axis")

    def makes(self, what, count, width=1):
        """Returns the channels that the layer makes."""
        return self.network.channels(self.layer, what, count, width)

    def gives(self, ids, axis=-1, index=0):
        """Returns the signal that comes out with these channels along an axis."""
        shape = self.shapes[index]
        return Signal(shape, axis % len(shape), ids)

    def stop(self, reason):
        """Makes all that comes in stay, and returns outputs that stay."""
        for signal in self.inputs:
            self.network.pin(signal.ids, reason)
        return [
            Signal(shape, max(len(shape) - 1, 0), self.network.fixed(shape[-1] if shape[1:] else 0, reason))
            for shape in self.shapes
        ]
