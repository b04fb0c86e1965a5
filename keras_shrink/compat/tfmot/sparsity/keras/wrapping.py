"""Layers marked for pruning: the wrapper, the call that puts it on, and the one that takes it off."""

import abc
import warnings

import keras
from keras.src.backend.common.symbolic_scope import in_symbolic_scope

from keras_shrink import Block, Element, NofM, select
from keras_shrink.compat.tfmot.sparsity.keras.schedules import SCHEDULES, ConstantSparsity, schedule_of
from keras_shrink.compat.tfmot.wrappers import Marker, inner_classes, takes_several, unmarked
from keras_shrink.rebuild import check_rebuildable, rebuild

_POOLING = {"AVG": "mean", "MAX": "max"}


class PrunableLayer(abc.ABC):
    """A layer of one's own that says which of its weights are pruned.

    Any class with a method `get_prunable_weights` counts as one.

    Example:
    >>> class Both(keras.layers.Dense, PrunableLayer):
    ...     def get_prunable_weights(self):
    ...         return [self.kernel, self.bias]
    >>> layer = Both(2)
    >>> layer.build((None, 4))
    >>> [weight.name for weight in select.kernels(layer)]
    ['kernel', 'bias']
    """

    @abc.abstractmethod
    def get_prunable_weights(self):
        """Returns the variables to prune, as a list."""

    @classmethod
    def __subclasshook__(cls, other):
        return True if hasattr(other, "get_prunable_weights") else NotImplemented


select.kernels.register(PrunableLayer, lambda layer: list(layer.get_prunable_weights()))


@keras.saving.register_keras_serializable("keras_shrink")
class PruneLowMagnitude(Marker):
    """Marks a layer for pruning; `UpdatePruningStep` prunes it during `fit`. It keeps the layer's name.

    Args:
        layer: The layer.
        pruning_schedule: A `PruningSchedule`. Defaults to half of the weights from the first step on.
        block_size: Sizes of the block along channels in and channels out.
        block_pooling_type: `"AVG"` or `"MAX"`: what the absolute weights of a block count as together.
        sparsity_m_by_n: `(m, n)` for `m` zeros in each `n` neighbours along the channels in, or None.
    """

    def __init__(
        self,
        layer,
        pruning_schedule=None,
        block_size=(1, 1),
        block_pooling_type="AVG",
        sparsity_m_by_n=None,
        **kwargs,
    ):
        super().__init__(layer, **kwargs)
        if block_pooling_type not in _POOLING:
            raise ValueError(
                "block_pooling_type must be 'AVG' or 'MAX'. "
                f"Received: block_pooling_type={block_pooling_type!r}."
            )
        self.pruning_schedule = ConstantSparsity(0.5, 0) if pruning_schedule is None else pruning_schedule
        self.block_size, self.block_pooling_type = tuple(block_size), block_pooling_type
        self.sparsity_m_by_n = None if sparsity_m_by_n is None else tuple(sparsity_m_by_n)
        self.is_updated = False

    def pattern(self):
        """Returns the native pattern."""
        if self.sparsity_m_by_n is not None:
            zeros, group = self.sparsity_m_by_n
            return NofM(group - zeros, group)
        if self.block_size == (1, 1):
            return Element()
        return Block(self.block_size, pooling=_POOLING[self.block_pooling_type])

    def build(self, input_shape=None):
        """Builds the layer, and the step at which its pruning stands."""
        super().build(input_shape)
        self.pruning_step = self.add_weight(
            name="pruning_step", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.built = True

    def call(self, inputs, training=None, **kwargs):
        """Runs the layer; arguments are the layer's own."""
        if training and not self.is_updated and not in_symbolic_scope():
            raise ValueError(
                f"Nobody prunes this model while it trains. Received: layer {self.name!r}, which "
                "prune_low_magnitude marked. Pass callbacks=[UpdatePruningStep()] to fit; in a loop of your "
                "own call its set_model and on_train_begin first."
            )
        return super().call(inputs, training=training, **kwargs)

    def get_config(self):
        """Layer, schedule and pattern."""
        return {
            **super().get_config(),
            "pruning_schedule": self.pruning_schedule.get_config(),
            "block_size": list(self.block_size),
            "block_pooling_type": self.block_pooling_type,
            "sparsity_m_by_n": None if self.sparsity_m_by_n is None else list(self.sparsity_m_by_n),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Restores layer and schedule."""
        config = {**config, "pruning_schedule": schedule_of(config["pruning_schedule"])}
        return super().from_config(config, custom_objects)


def marked(model):
    """Returns the layers of a model that `prune_low_magnitude` marked, as a list of `PruneLowMagnitude`.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), PruneLowMagnitude(keras.layers.Dense(2, name="fc"))])
    >>> [layer.name for layer in marked(model)]
    ['fc']
    """
    return [
        layer for layer in model._flatten_layers(include_self=False) if isinstance(layer, PruneLowMagnitude)
    ]


def prune_scope():
    """Returns the scope in which a marked model is loaded; Keras 3 finds the classes without it as well.

    Example:
    >>> with prune_scope():
    ...     pass
    """
    return keras.saving.custom_object_scope({"PruneLowMagnitude": PruneLowMagnitude, **SCHEDULES})


def prune_low_magnitude(
    to_prune,
    pruning_schedule=None,
    block_size=(1, 1),
    block_pooling_type="AVG",
    pruning_policy=None,
    sparsity_m_by_n=None,
    **kwargs,
):
    """Returns a model, a layer or a list of layers marked for pruning; natively `GradualPruning` in `fit`.

    Of a model every layer with kernels is marked, except depthwise convolutions and layers that are called
    with several inputs; a warning names these. A model is copied, a layer is taken as it is.

    Args:
        to_prune: A built Functional or Sequential model, a layer, or a list of layers.
        pruning_schedule: A `PruningSchedule`. Defaults to `ConstantSparsity(0.5, 0)`.
        block_size: Sizes of the block along channels in and channels out.
        block_pooling_type: `"AVG"` or `"MAX"`.
        pruning_policy: A `PruningPolicy` that chooses among the layers of a model.
        sparsity_m_by_n: `(m, n)` for `m` zeros in each `n` neighbours along the channels in, or None. The
            whole pattern holds from the schedule's first step on.
        **kwargs: For the wrapper, where a layer is given.

    Raises:
        ValueError: If `to_prune` is none of these, or a setting is out of range.

    Example:
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="fc")])
    >>> pruned = prune_low_magnitude(model, ConstantSparsity(0.5, 0))
    >>> pruned.compile("sgd", "mse")
    >>> from keras_shrink.compat import tfmot
    >>> x, y = keras.ops.ones((32, 8)), keras.ops.ones((32, 4))
    >>> _ = pruned.fit(x, y, verbose=0, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])
    >>> float((strip_pruning(pruned).get_layer("fc").kernel.numpy() == 0).mean())
    0.5
    """
    settings = {
        "pruning_schedule": pruning_schedule,
        "block_size": block_size,
        "block_pooling_type": block_pooling_type,
        "sparsity_m_by_n": sparsity_m_by_n,
    }
    if isinstance(to_prune, list):
        return [prune_low_magnitude(layer, **settings) for layer in to_prune]
    if isinstance(to_prune, PruneLowMagnitude | keras.layers.InputLayer):
        return to_prune
    if isinstance(to_prune, keras.Model):
        check_rebuildable(to_prune)
        if pruning_policy is not None:
            pruning_policy.ensure_model_supports_pruning(to_prune)
        return _marked_copy(to_prune, pruning_policy, settings)
    if isinstance(to_prune, keras.layers.Layer):
        return PruneLowMagnitude(to_prune, **settings, **kwargs)
    raise ValueError(
        "to_prune must be a keras.Model, a layer or a list of layers of Keras 3. "
        f"Received: to_prune={to_prune!r} of type {type(to_prune)}."
    )


def _marked_copy(model, policy, settings):
    left = []

    def exchange(copy, original):
        fits = isinstance(original, keras.layers.Layer) and not isinstance(original, PruneLowMagnitude)
        if not fits or not any(select.kernels(layer) for layer in original._flatten_layers()):
            return copy
        if policy is not None and not policy.allow_pruning(original):
            return copy
        if isinstance(original, keras.layers.DepthwiseConv2D) or takes_several(original):
            left.append(original.name)
            return copy
        return PruneLowMagnitude(copy, **settings)

    with inner_classes(model):
        copy = rebuild(model, exchange)
    if not marked(copy):
        there = [kernel.name for kernel in select.find_kernels(model)]
        raise ValueError(
            f"No layer to prune was chosen. Received: model={model.name!r}, pruning_policy={policy}. Layers "
            f"with a kernel: {there}. Mark a layer itself with prune_low_magnitude(layer), or use "
            "keras_shrink.GradualPruning, which prunes every kind."
        )
    if left:
        warnings.warn(
            f"Not pruned: {', '.join(left)}. Depthwise kernels are small, and attention has several inputs. "
            "keras_shrink.GradualPruning prunes them too.",
            stacklevel=3,
        )
    return copy


def strip_pruning(model):
    """Returns a plain copy of a marked model, zeros and layer names kept.

    Nothing in it holds the zeros in further training: `keras_shrink.keep_zeros(model)` does, and quantization
    keeps them by itself.

    Args:
        model: A Functional or Sequential model with layers that `prune_low_magnitude` marked.

    Raises:
        ValueError: If it is no such model.

    Example:
    >>> model = keras.Sequential([keras.Input((8,)), PruneLowMagnitude(keras.layers.Dense(4, name="fc"))])
    >>> type(strip_pruning(model).get_layer("fc")).__name__
    'Dense'
    """
    return unmarked(model, PruneLowMagnitude)[0]
