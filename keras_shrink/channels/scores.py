"""How much each group of channels matters. The lowest are cut first.

A score is any function of the list of `Part`s of a family, the weights that its channels touch, that returns
one number for each of its groups. The numbers of a family are divided by their mean magnitude before they are
compared with others, unless the score says that they compare as they are (`comparable = True`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_shrink.channels.groups import Family, Groups
from keras_shrink.channels.network import Network


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """What the groups of a family have of one weight.

    Attributes:
        variable: The `keras.Variable`.
        values: Array `(groups, n)`: the n elements of the weight that go with each group.
        role: `"makes"` for the kernel that computes the channels, `"reads"` for one that takes them in,
            `"scales"` for the gamma of a normalization, `"shifts"` for biases and statistics.
    """

    variable: Any
    values: np.ndarray
    role: str


def l1(parts):
    """Returns the mean absolute weight of the filters that make each group, over their layer's mean.

    Args:
        parts: List of `Part`.

    Example:
    >>> l1([Part(None, np.array([[1.0, -1.0], [3.0, 3.0]]), "makes")])
    array([0.5, 1.5])

    Reference:
        Li et al., 2016, arXiv:1608.08710.
    """
    return _mean_over(parts, lambda values: np.abs(values).sum(axis=1), "makes")


def l2(parts):
    """Returns the Euclidean norm of everything a group touches, weight by weight over the weight's mean.

    It counts the filters that make the channels, those that read them, and their normalizations' gamma, so it
    sees the whole dependency group.

    Args:
        parts: List of `Part`.

    Example:
    >>> l2([Part(None, np.array([[3.0, 4.0], [5.0, 0.0]]), "makes")])
    array([1., 1.])

    Reference:
        Fang et al., 2023, arXiv:2301.12900.
    """
    return _mean_over(parts, lambda values: np.sqrt((values**2).sum(axis=1)), "makes", "reads", "scales")


def gamma(parts):
    """Returns the mean absolute gamma of the normalizations of each group.

    Meant for a network trained with an L1 penalty on gamma. Families without one are left alone.

    Args:
        parts: List of `Part`.

    Example:
    >>> gamma([Part(None, np.array([[-0.5], [1.5]]), "scales")])
    array([0.5, 1.5])

    Reference:
        Liu et al., 2017, arXiv:1708.06519.
    """
    return _mean_over(parts, lambda values: np.abs(values).mean(axis=1), "scales")


def _mean_over(parts, measure, *roles):
    """Returns the mean over the parts of some roles, each divided by its own mean; None without any."""
    rows = [measure(np.asarray(part.values, np.float64)) for part in parts if part.role in roles]
    rows = [row / row.mean() if row.mean() > 0 else row for row in rows]
    return np.mean(rows, axis=0) if rows else None


@dataclasses.dataclass(frozen=True, eq=False)
class Taylor:
    """Scores by the first-order estimate of what the loss does when a group goes.

    `score = mean over batches of (sum of weight * d loss / d weight)^2` over the weights that read the
    channels: where these sums are zero, the loss does not notice that the channels are gone, whatever comes
    before. It compares across layers as it is, and is set off against what a cut saves.

    Attributes:
        x: Inputs, an array or what the model takes; some hundred samples are enough.
        y: Targets.
        loss: Function `loss(y, prediction)`; by default the loss that the model was compiled with.
        batch_size: Samples for one gradient; smaller batches tell more.

    Example:
    >>> Taylor(np.zeros((8, 4)), np.zeros((8,)), loss="mse").batch_size
    32

    Reference:
        Molchanov et al., 2016, arXiv:1611.06440, and 2019, arXiv:1906.10771.
    """

    x: Any = dataclasses.field(repr=False)
    y: Any = dataclasses.field(repr=False)
    loss: Any = None
    batch_size: int = 32
    comparable = True

    def __call__(self, parts):
        """Returns the squared sum of each group; `values` are products of weight and gradient."""
        role = "reads" if any(part.role == "reads" for part in parts) else "makes"
        return np.sum([part.values.sum(axis=1) for part in parts if part.role == role], axis=0) ** 2

    def passes(self, model, variables):
        """Yields, batch by batch, an array for each variable: its products of weight and gradient.

        Raises:
            ValueError: If there is no loss.
        """
        import tensorflow as tf

        loss = keras.losses.get(self.loss) if self.loss is not None else None
        if loss is None and not model.compiled:
            raise ValueError("Taylor needs a loss: compile the model, or pass Taylor(x, y, loss=...).")
        values = [variable.value for variable in variables]
        gradient = tf.function(lambda x, y: self._gradient(model, loss, values, x, y), reduce_retracing=True)
        count = len(keras.tree.flatten(self.x)[0])
        for start in range(0, count, self.batch_size):
            x, y = keras.tree.map_structure(
                lambda a, start=start: tf.convert_to_tensor(a[start : start + self.batch_size]),
                (self.x, self.y),
            )
            yield [product.numpy() for product in gradient(x, y)]

    @staticmethod
    def _gradient(model, loss, values, x, y):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(values)
            predicted = model(x, training=False)
            if loss is None:
                value = model.compute_loss(x=x, y=y, y_pred=predicted, training=False)
            else:
                value = tf.reduce_mean(loss(y, predicted))
        gradients = tape.gradient(value, values, unconnected_gradients="zero")
        return [v * tf.convert_to_tensor(g) for v, g in zip(values, gradients, strict=True)]


def class_scores(model, network: Network, groups: Groups, score):
    """Returns the score of each class, NaN where it has none.

    Args:
        model: The model.
        network: Its channels.
        groups: Its groups.
        score: A function of a list of `Part`s, perhaps with a method `passes` like that of `Taylor`.

    Raises:
        ValueError: If the score does not return one finite number for each group.
    """
    touched = [weight for weight in network.weights.values() if weight.axes]
    variables = [weight.variable for weight in touched]
    if hasattr(score, "passes"):
        passes = score.passes(model, variables)
    else:
        passes = [[keras.ops.convert_to_numpy(variable) for variable in variables]]
    total = np.zeros(groups.count)
    count = 0
    for arrays in passes:
        count += 1
        for family in groups.families:
            total[family.classes] += _score(family, touched, arrays, groups, score)
    result = np.full(groups.count, np.nan)
    for family in groups.families:
        values = total[family.classes] / max(count, 1)
        mean = np.abs(values).mean()
        result[family.classes] = values if getattr(score, "comparable", False) or mean == 0 else values / mean
    return result


def _score(family: Family, touched, arrays, groups, score):
    row_of = np.full(groups.count, -1)
    row_of[family.classes] = np.arange(len(family.classes))
    parts = []
    for weight, array in zip(touched, arrays, strict=True):
        for axis, ids in weight.axes.items():
            rows = row_of[groups.classes[ids]]
            if (rows >= 0).any():
                values = _gathered(array, axis, rows, len(family.classes))
                parts.append(Part(weight.variable, values, weight.role_along(axis)))
    values = score(parts)
    if values is None:
        return np.full(len(family.classes), np.nan)
    values = np.asarray(values, np.float64)
    if values.shape != family.classes.shape or not np.isfinite(values).all():
        raise ValueError(
            f"score must return {len(family.classes)} finite numbers, one for each group. "
            f"Received: score={score!r}, which returned {values!r}."
        )
    return values


def _gathered(array, axis, rows, count):
    """Returns the elements of a weight that go with each group, `(groups, n)`."""
    lines = np.moveaxis(array, axis, 0).reshape(len(rows), -1)
    members = np.bincount(rows[rows >= 0], minlength=count)
    gathered = np.zeros((count, members.max(), lines.shape[1]), lines.dtype)
    order = np.argsort(rows, kind="stable")
    order = order[rows[order] >= 0]
    place = np.concatenate([np.arange(n) for n in members])
    gathered[rows[order], place] = lines[order]
    return gathered.reshape(count, -1)
