"""What a model costs with some of its channels cut, from shapes alone: nothing is built."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras

from keras_shrink.channels.network import Network
from keras_shrink.flow import Flow
from tflite_export import memory


@dataclass(frozen=True, eq=False)
class Costs:
    """Costs as functions of `kept`, the function `ids -> number of those channels that are left`."""

    model: keras.Model
    network: Network
    flow: Flow

    def parameters(self, kept):
        """Returns the number of parameters, those of normalizations included."""
        return sum(self._sizes(kept).values())

    def macs(self, kept):
        """Returns the multiply-accumulates of one inference, padding included, as `te.summary` counts them.

        A dimension of unknown length counts once.
        """
        sizes = self._sizes(kept)
        return sum(times * sizes[variable] for times, variable in self.network.work) + sum(
            times * kept(ids) for times, ids in self.network.products
        )

    def activation_bytes(self, kept):
        """Returns the bytes of int8 activations alive at the busiest layer; an estimate of the arena's size.

        What a converter makes part of the layer before it, and what only renames a tensor, takes no memory.
        """
        first, last, size = {}, {}, {}
        home = {key: key for key in self.flow.inputs}
        end = len(self.flow.calls)
        for key in self.flow.inputs:
            first[key], size[key] = 0, self._bytes(key, kept)
        for step, call in enumerate(self.flow.calls):
            for key in call.inputs:
                last[home[key]] = step
            for key in call.outputs:
                if isinstance(call.layer, _PART_OF_ANOTHER) and self.flow.sole_reader(call.inputs[0]):
                    home[key] = home[call.inputs[0]]
                else:
                    home[key] = key
                    first[key], size[key] = step, self._bytes(key, kept)
                last[home[key]] = step
        last.update({home[key]: end for key in self.flow.outputs})
        buffers = [memory.Buffer(size[key], first[key], last.get(key, first[key])) for key in size]
        return max(memory.live_bytes(buffers, alignment=16), default=0)

    def _bytes(self, key, kept):
        signal = self.network.signals[key]
        return signal.positions * (kept(signal.ids) if len(signal.ids) else 1)

    def _sizes(self, kept):
        """Returns `id(variable)` -> number of elements."""
        sizes = {}
        for variable in self.model.weights:
            weight = self.network.weights.get(id(variable))
            axes = {} if weight is None else weight.axes
            sizes[id(variable)] = math.prod(
                kept(axes[axis]) if axis in axes else n for axis, n in enumerate(variable.shape)
            )
        return sizes


_PART_OF_ANOTHER = (
    keras.layers.Activation,
    keras.layers.ActivityRegularization,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.ReLU,
    keras.layers.Reshape,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
)
