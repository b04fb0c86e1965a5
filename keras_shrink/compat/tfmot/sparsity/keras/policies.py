"""Policies: which layers of a model `prune_low_magnitude` chooses."""

import abc

import keras


class PruningPolicy(abc.ABC):
    """Chooses the layers to prune; natively a predicate such as `select.by_class(keras.layers.Dense)`.

    Example:
    >>> class OnlyDense(PruningPolicy):
    ...     def allow_pruning(self, layer):
    ...         return isinstance(layer, keras.layers.Dense)
    >>> OnlyDense().allow_pruning(keras.layers.Dense(2))
    True
    """

    @abc.abstractmethod
    def allow_pruning(self, layer):
        """Returns whether the layer is pruned."""

    def ensure_model_supports_pruning(self, model):
        """Raises where the model does not suit the policy; by default any built model does."""
        if not model.built:
            raise ValueError(
                f"The model must be built before it is pruned. Received: model={model.name!r}. "
                "Give it an Input, or call it on a batch."
            )


class PruneForLatencyOnXNNPack(PruningPolicy):
    """Chooses the 1x1 convolutions, which XNNPACK computes sparsely.

    Whether XNNPACK takes up a model depends on its whole graph and is not checked here.

    Example:
    >>> PruneForLatencyOnXNNPack().allow_pruning(keras.layers.Conv2D(4, 3))
    False

    Reference:
        Elsen et al., 2020, arXiv:1911.09723.
    """

    def allow_pruning(self, layer):
        """Returns whether the layer is a 1x1 convolution."""
        pointwise = isinstance(layer, keras.layers.Conv2D) and tuple(layer.kernel_size) == (1, 1)
        return pointwise and not isinstance(layer, keras.layers.DepthwiseConv2D)
