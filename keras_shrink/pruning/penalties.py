"""Penalties that make training itself push weights, or whole channels, towards zero."""

import dataclasses
import functools

import keras
from keras import ops

from keras_shrink import select
from keras_shrink.pruning.constraint import retrace


@dataclasses.dataclass(frozen=True)
class L1:
    """The sum of absolute weights: `strength * sum |w|`.

    Attributes:
        strength: Factor of at least 0; 1e-5 to 1e-4 is a usual start.

    Example:
    >>> L1(1e-4)
    L1(strength=0.0001)

    Reference:
        Tibshirani, 1996, Journal of the Royal Statistical Society B 58.
    """

    strength: float

    def __post_init__(self):
        _check_strength(self.strength)

    def of(self, kernel):
        """Returns the penalty of a kernel as a function of its weights."""
        return lambda weight: self.strength * ops.sum(ops.abs(weight))


@dataclasses.dataclass(frozen=True)
class GroupLasso:
    """The sum of the norms of whole channels: `strength * sum over g of sqrt(size(g)) * ||w_g||_2`.

    Channels become zero as a whole, so that they can be cut out and not only skipped.

    Attributes:
        strength: Factor of at least 0; 1e-5 to 1e-3 is a usual start.
        group: `"output"` for the weights of a channel out, `"input"` for those of a channel in.

    Example:
    >>> GroupLasso(1e-4, group="input").group
    'input'

    Reference:
        Wen et al., 2016, arXiv:1608.03665; Yuan and Lin, 2006.
    """

    strength: float
    group: str = "output"

    def __post_init__(self):
        _check_strength(self.strength)
        if self.group not in ("output", "input"):
            raise ValueError(f'group must be "output" or "input". Received: group={self.group!r}.')

    def of(self, kernel):
        """Returns the penalty of a kernel as a function of its weights."""
        axis = kernel.output_axis if self.group == "output" else kernel.input_axis
        shape = kernel.variable.shape
        others = tuple(i for i in range(len(shape)) if i != axis)
        size = 1
        for i in others:
            size *= shape[i]

        def penalty(weight):
            squares = ops.sum(ops.square(weight), axis=others)
            # Below the bound the gradient is zero and not the 0 / 0 of a norm at zero.
            return self.strength * size**0.5 * ops.sum(ops.sqrt(ops.maximum(squares, 1e-12)))

        return penalty


def _check_strength(strength):
    if not 0 <= strength < float("inf"):
        raise ValueError(f"strength must be a number of at least 0. Received: strength={strength!r}.")


class _Penalized(keras.regularizers.Regularizer):
    """The user's own regularizer and penalties, as one."""

    def __init__(self, own, penalties):
        self.own = own
        self.penalties = penalties

    def __call__(self, weight):
        parts = [penalty(weight) for penalty in self.penalties]
        if self.own is not None:
            parts.append(self.own(weight))
        return functools.reduce(ops.add, parts)


def penalize(model, *penalties, layers=select.has_kernel):
    """Adds penalties on the kernels of a model to its training loss.

    Like `compile`, it sets up training of the model given and changes no weight. It works on any model,
    subclassed ones too, adds to the regularizers that layers have, and is not saved. A second call replaces
    the penalties of the first; a call without any takes them away. Penalties make weights small, not zero:
    prune afterwards, or look at `sparsity_report`.

    Args:
        model: A built Keras model.
        *penalties: `L1(...)`, `GroupLasso(...)`, or objects with `of(kernel) -> (weight -> scalar)`.
        layers: Predicate, function `layer -> bool`, layer, or list of layers. Frozen ones are left out.

    Raises:
        ValueError: If something is not a penalty, or no layer is chosen.

    Example:
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="ones")])
    >>> penalize(model, L1(0.5))
    >>> float(model.losses[0])
    2.0
    """
    for penalty in penalties:
        if not hasattr(penalty, "of"):
            raise ValueError(f"A penalty is an L1, a GroupLasso or alike. Received: {penalty!r}.")
    kernels = [kernel for kernel in select.find_kernels(model, layers) if not kernel.frozen]
    if not kernels:
        raise ValueError(f"No layer with a kernel that can be trained was chosen. Received: layers={layers}.")
    for kernel in kernels:
        own = kernel.variable.regularizer
        own = own.own if isinstance(own, _Penalized) else own
        parts = [penalty.of(kernel) for penalty in penalties]
        kernel.variable.regularizer = _Penalized(own, parts) if parts else own
    retrace(model)
