"""Scores: how much each weight matters. The lowest are pruned first.

A score is any function `weight -> array of the same shape`. Two need more than the weight and say so by a
method: `Movement.increment` is added up inside the train step, and `Taylor.measure` looks at data.
"""

import dataclasses
import zlib
from typing import Any

import numpy as np


def magnitude(weight):
    """Returns the absolute value of each weight.

    Args:
        weight: Float array.

    Example:
    >>> magnitude(np.array([-2.0, 1.0]))
    array([2., 1.])

    Reference:
        Han et al., 2015, arXiv:1506.02626.
    """
    return np.abs(weight)


def random(seed=0):
    """Returns a score that ranks weights at random: the control that every other score has to beat.

    The same weights get the same scores in every run; a weight's score does not change while it trains.

    Args:
        seed: Integer of at least 0.

    Example:
    >>> score = random(seed=1)
    >>> bool((score(np.zeros(3)) == score(np.ones(3))).all())
    True
    """

    def score(weight):
        shape_key = zlib.crc32(repr(weight.shape).encode())
        return np.random.default_rng([seed, shape_key]).random(weight.shape)

    return score


@dataclasses.dataclass(frozen=True)
class Movement:
    """Scores by how far training has moved a weight away from zero.

    `score = sum over steps of weight * update`, where `update` is what the optimizer really added; with
    plain SGD this is `-learning_rate * weight * gradient`, as in the paper. Weights that shrink are pruned,
    whatever their size: the right choice for fine-tuning a pretrained model on another task. It needs
    training, so it works in `GradualPruning` and `Pruner` and not in `prune`.

    Attributes:
        decay: Factor in (0, 1] by which older steps fade. Default 1: all count the same.

    Example:
    >>> Movement(decay=0.99)
    Movement(decay=0.99)

    Reference:
        Sanh et al., 2020, arXiv:2005.07683.
    """

    decay: float = 1.0

    def __post_init__(self):
        if not 0.0 < self.decay <= 1.0:
            raise ValueError(f"decay must be in (0, 1]. Received: decay={self.decay}.")

    def increment(self, total, before, after):
        """Returns the new total, given the weights before and after an optimizer update (tensors)."""
        return total * self.decay + before * (after - before)


@dataclasses.dataclass(frozen=True, eq=False)
class Taylor:
    """Scores by the first-order estimate of what the loss does when a weight becomes zero.

    `score = |weight * d loss / d weight|`, the gradient taken over the given data in inference mode. It
    costs one gradient per update of the masks.

    Attributes:
        x: Inputs, an array or what the model takes; a few hundred samples are enough.
        y: Targets.
        loss: Function `loss(y, prediction)`; by default the loss that the model was compiled with.

    Example:
    >>> Taylor(np.zeros((8, 4)), np.zeros((8,)), loss="mse").loss
    'mse'

    Reference:
        Molchanov et al., 2019, arXiv:1906.10771.
    """

    x: Any = dataclasses.field(repr=False)
    y: Any = dataclasses.field(repr=False)
    loss: Any = None

    def measure(self, model, variables):
        """Returns the scores of the given variables of a model, a list of arrays.

        Raises:
            ValueError: If there is no loss, or the loss does not depend on one of the variables.
        """
        import keras
        import tensorflow as tf

        loss = keras.losses.get(self.loss) if self.loss is not None else None
        if loss is None and not getattr(model, "compiled", False):
            raise ValueError("Taylor needs a loss: compile the model, or pass Taylor(x, y, loss=...).")
        x = keras.tree.map_structure(tf.convert_to_tensor, self.x)
        y = keras.tree.map_structure(tf.convert_to_tensor, self.y)
        with tf.GradientTape() as tape:
            predicted = model(x, training=False)
            value = (
                model.compute_loss(x=x, y=y, y_pred=predicted, training=False)
                if loss is None
                else tf.reduce_mean(loss(y, predicted))
            )
        values = [variable.value for variable in variables]
        gradients = tape.gradient(value, values)
        missing = [v.path for v, gradient in zip(variables, gradients, strict=True) if gradient is None]
        if missing:
            raise ValueError(f"The loss does not depend on these kernels: {missing}. Leave their layers out.")
        return [
            np.abs(keras.ops.convert_to_numpy(v) * np.asarray(tf.convert_to_tensor(g)))
            for v, g in zip(variables, gradients, strict=True)
        ]
