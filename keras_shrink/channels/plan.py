"""What is cut and what is left: a plan that can be read before anything is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_shrink.channels.cost import Costs
from keras_shrink.channels.groups import Groups
from keras_shrink.rebuild import rebuild


@dataclass(frozen=True)
class LayerCut:
    """What happens to the channels that one layer makes.

    Attributes:
        name: Name of the layer.
        what: "filters", "units" or "heads".
        before: How many there are.
        after: How many are left.
        reason: Why those that stay have to; "" where any may go.
    """

    name: str
    what: str
    before: int
    after: int
    reason: str


@dataclass(frozen=True, eq=False)
class ChannelPlan:
    """Which channels go, and what the model costs before and after; prints as a table.

    Attributes:
        layers: What happens to each layer that makes channels, in the model's order.
        macs: Multiply-accumulates of one inference before and after.
        parameters: Number of parameters before and after.
        arena_bytes: Arena on TFLM before and after, measured; None unless it was asked for.
    """

    layers: tuple[LayerCut, ...]
    macs: tuple[int, int]
    parameters: tuple[int, int]
    arena_bytes: tuple[int, int] | None
    _costs: Costs = field(repr=False)
    _groups: Groups = field(repr=False)
    _alive: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, costs: Costs, groups: Groups, alive, stay=None):
        """Returns the plan in which the classes that are not alive go.

        Args:
            costs: Costs of the model.
            groups: Its groups.
            alive: Boolean array, one for each class.
            stay: Class -> why it stays, beside the reasons of the groups.
        """
        whole, kept = groups.kept(np.ones(groups.count, bool)), groups.kept(alive)
        reasons = groups.reasons | (stay or {})
        layers = []
        for source in costs.network.sources.values():
            names = np.unique(groups.classes[source.ids]).tolist()
            why = [reasons[name] for name in names if name in reasons]
            layers.append(
                LayerCut(
                    source.layer.name, source.what, whole(source.ids), kept(source.ids), why[0] if why else ""
                )
            )
        return cls(
            tuple(layers),
            (costs.macs(whole), costs.macs(kept)),
            (costs.parameters(whole), costs.parameters(kept)),
            None,
            costs,
            groups,
            alive,
        )

    def apply(self):
        """Returns the smaller model: plain layers with the same names, compiled as the model is."""
        return _without(self._costs, self._groups, self._alive)

    def __str__(self):
        rows = [("layer", "channels", "before", "after", "why the rest stays")]
        rows += [(row.name, row.what, f"{row.before}", f"{row.after}", row.reason) for row in self.layers]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines = []
        for row in rows:
            cells = [f"{cell:{'<<>><'[i]}{widths[i]}}" for i, cell in enumerate(row)]
            lines.append("  ".join(cells).rstrip())
        figures = {"MACs": self.macs, "parameters": self.parameters, "arena bytes on TFLM": self.arena_bytes}
        for name, pair in figures.items():
            if pair is not None:
                before, after = pair
                lines.append(f"{name}: {before:,} -> {after:,} ({after / max(before, 1):.1%})")
        return "\n".join(lines)


def _without(costs: Costs, groups: Groups, alive):
    """Returns the model without the classes that are not alive."""
    network, kept = costs.network, groups.kept(alive)
    pairs = []

    def exchange(_, original):
        config = _without_shapes(original.get_config())
        change = network.settings.get(id(original))
        if change is not None:
            change(config, kept)
        smaller = original.__class__.from_config(config)
        pairs.append((smaller, original))
        return smaller

    def inner_shape(nested, index):
        call = next(call for call in costs.flow.nested if call.layer is nested)
        signal = network.signals[call.inputs[index]]
        shape = list(nested.inputs[index].shape)
        if len(signal.ids):
            shape[signal.axis] = kept(signal.ids)
        return tuple(shape)

    smaller = rebuild(costs.model, exchange, inner_shape=inner_shape)
    left = alive[groups.classes]
    for copy, original in pairs:
        for new, old in zip(getattr(copy, "weights", ()), getattr(original, "weights", ()), strict=True):
            new.assign(_sliced(keras.ops.convert_to_numpy(old), network.weights.get(id(old)), left))
        if not getattr(original, "trainable", True):
            copy.trainable = False
    return smaller


def _sliced(array, weight, left):
    for axis, ids in ({} if weight is None else weight.axes).items():
        array = np.compress(left[ids], array, axis=axis)
    return array


def _without_shapes(config: Any):
    """Returns a copy of a configuration without the shapes that layers inside wrappers were built with."""
    if isinstance(config, dict):
        return {key: _without_shapes(value) for key, value in config.items() if key != "build_config"}
    return config
