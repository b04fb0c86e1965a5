"""What a weight has before it is quantized and must have afterwards: zeros, and values that are shared."""

from __future__ import annotations

import keras

from keras_shrink.weights import Mask, SharedValues, weights_by_name


class KeptStructure:
    """The weight transforms that come before rounding, layer by layer.

    Args:
        shared: `id(weight)` -> the transforms that it had in a clustered model.

    Example:
    >>> import keras, numpy as np
    >>> layer = keras.layers.Dense(2, name="fc")
    >>> layer.build((None, 2))
    >>> layer.kernel.assign([[1.0, 0.0], [0.0, 1.0]]) is not None
    True
    >>> [type(step).__name__ for step in KeptStructure({}).of(layer, "kernel")]
    ['Mask']
    """

    def __init__(self, shared):
        self._shared = shared

    def of(self, layer, name):
        """Returns the transforms that keep the structure of the weight `name` of a layer, as a list."""
        return self.of_weight(weights_by_name(layer)[name], name)

    def of_weight(self, weight, name):
        """Returns the transforms that keep the structure of a weight, to be called `name`."""
        if id(weight) in self._shared:
            return list(self._shared[id(weight)])
        nonzero = keras.ops.convert_to_numpy(weight) != 0
        # All zero is an initial state, not a pruned one: masking it would freeze it for good.
        return (
            [Mask(nonzero, name=f"{name.replace('/', '_')}_mask")]
            if nonzero.any() and not nonzero.all()
            else []
        )

    def others(self, layer, names):
        """Returns position -> transforms for the shared weights of a layer that are not among `names`."""
        own = weights_by_name(layer) if names else {}
        known = {id(own[name]) for name in names}
        weights = getattr(layer, "weights", [])
        return {
            str(i): list(self._shared[id(weight)])
            for i, weight in enumerate(weights)
            if id(weight) in self._shared and id(weight) not in known
        }

    def check(self, model, treatments):
        """Raises if a normalization behind a kernel with one table would take its values apart.

        Args:
            model: The model to be quantized.
            treatments: `id(layer)` -> its `Treatment`.
        """
        apart = [
            layer.name
            for layer in model._flatten_layers(include_self=False)
            if id(layer) in treatments
            and treatments[id(layer)].is_normalized
            and any(_has_one_table(self._shared.get(id(weight), ())) for weight in layer.weights)
        ]
        if apart:
            raise ValueError(
                "BatchNormalization scales each channel, so weights that share values over a whole kernel "
                "would not share their integers. Received: a model clustered with one table per kernel, and "
                f"BatchNormalization behind {', '.join(apart)}. Cluster with per_channel=True, or cluster "
                "keras_shrink.fold_normalization(model)."
            )


def scale_axes(chain, axes):
    """Returns the axes over which a weight behind `chain` shares a scale: all (None) where it has one table.

    Args:
        chain: List of transforms before the rounding.
        axes: The axes that the layer's kind of kernel would share.

    Example:
    >>> scale_axes([SharedValues([0.5, 1.0], [[0, 1]])], (0,)) is None
    True
    """
    return None if _has_one_table(chain) else axes


def _has_one_table(chain):
    return any(isinstance(step, SharedValues) and step.axis is None for step in chain)
