"""What two models make of the same data: confusion matrices for classes, errors for numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Confusion:
    """How two models tell classes apart.

    Attributes:
        output: Name of the output.
        classes: Names of the classes.
        before: Counts of the original model, a row for each true class, a column for each answer.
        after: The same of the final model.
    """

    output: str
    classes: tuple[str, ...]
    before: np.ndarray
    after: np.ndarray

    @property
    def accuracy(self) -> tuple[float, float]:
        """Share of right answers before and after."""
        return _hits(self.before), _hits(self.after)

    @property
    def recall(self) -> tuple[np.ndarray, np.ndarray]:
        """Share of each class that was found, before and after; NaN for a class without samples."""
        return _recall(self.before), _recall(self.after)

    def most_changed(self, count=10) -> list[int]:
        """Returns the classes whose recall changed most, the greatest change first."""
        before, after = self.recall
        change = np.nan_to_num(np.abs(after - before))
        return [int(i) for i in np.argsort(-change, kind="stable")[:count] if change[i] > 0]

    def mistakes(self, count=10) -> list[tuple[int, int, int, int]]:
        """Returns the pairs most often confused after: true class, answer, count before and after."""
        wrong = self.after * (1 - np.eye(len(self.classes), dtype=int))
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        pairs = [divmod(int(place), len(self.classes)) for place in order]
        return [(i, j, int(self.before[i, j]), int(self.after[i, j])) for i, j in pairs if wrong[i, j]]


@dataclass(frozen=True)
class Errors:
    """How far the numbers of two models are from the true ones.

    Attributes:
        output: Name of the output.
        mean_absolute: Mean absolute error before and after.
        root_mean_square: Root of the mean squared error before and after.
        explained: Explained share of the variance (R squared) before and after.
        sample: Some values, `(count, 3)`: true, before, after.
    """

    output: str
    mean_absolute: tuple[float, float]
    root_mean_square: tuple[float, float]
    explained: tuple[float, float]
    sample: np.ndarray


def outcomes(
    names: Sequence[str], labels, before, after, classes: Sequence[str] | None = None
) -> list[Confusion | Errors]:
    """Returns a `Confusion` or `Errors` for each output.

    Labels are classes if they are whole numbers, one for each row of scores, or one-hot rows, and for a
    single score if they are 0 and 1; everything else is a regression.

    Args:
        names: Names of the outputs.
        labels: An array, or for several outputs a list or a mapping from their names; None for an output
            leaves it out.
        before: Arrays of the original model, one for each output.
        after: Arrays of the final model.
        classes: Names of the classes, where all outputs of classes share them.

    Raises:
        ValueError: If labels and outputs do not belong together.

    Example:
    >>> scores = np.eye(2)[[0, 1, 1]]
    >>> outcomes(["y"], np.array([0, 1, 0]), [scores], [scores])[0].after.tolist()
    [[1, 1], [0, 1]]
    """
    truths = _by_output(names, labels)
    found: list[Confusion | Errors] = []
    for name, truth, first, second in zip(names, truths, before, after, strict=True):
        if truth is None:
            continue
        truth = np.asarray(truth)
        first, second = (np.asarray(values, np.float64) for values in (first, second))
        if first.size != second.size:
            raise ValueError(
                f"Both models must have the same outputs. Received: {name!r} of shape {first.shape} before "
                f"and {second.shape} after."
            )
        numbers = _class_numbers(truth, second.shape)
        if numbers is None:
            found.append(_errors(name, truth, first, second))
        else:
            found.append(_confusion(name, numbers, first.reshape(second.shape), second, classes))
    return found


def _by_output(names, labels):
    if isinstance(labels, Mapping):
        unknown = sorted(set(labels) - set(names))
        if unknown:
            raise ValueError(
                f"The labels must be named as the outputs: {', '.join(names)}. "
                f"Received: {', '.join(unknown)}."
            )
        return [labels.get(name) for name in names]
    if len(names) == 1:
        return [labels[0] if isinstance(labels, list | tuple) and len(labels) == 1 else labels]
    if not isinstance(labels, list | tuple) or len(labels) != len(names):
        raise ValueError(
            f"The model has {len(names)} outputs: pass as many arrays of labels, as a list or by name "
            f"({', '.join(names)}). Received: {type(labels).__name__}."
        )
    return list(labels)


def _class_numbers(truth, shape):
    """Returns the class of each row of scores, or None where the labels are no classes."""
    rows = int(np.prod(shape[:-1], dtype=int)) if len(shape) > 1 else shape[0]
    scores = shape[-1] if len(shape) > 1 else 1
    if truth.dtype.kind not in "biuf":
        return None
    if scores == 1:
        both = truth.size == rows and bool(np.isin(truth, (0, 1)).all())
        return truth.reshape(-1).astype(int) if both else None
    if truth.shape == shape:
        flat = truth.reshape(-1, scores)
        one_hot = bool(np.isin(flat, (0, 1)).all() and (flat.sum(axis=1) == 1).all())
        return flat.argmax(axis=1) if one_hot else None
    whole = truth.dtype.kind in "biu" or bool((truth == np.floor(truth)).all())
    if truth.size != rows or not whole:
        return None
    numbers = truth.reshape(-1).astype(int)
    if numbers.min() < 0 or numbers.max() >= scores:
        raise ValueError(
            f"Class numbers must be from 0 to {scores - 1}. Received: {numbers.min()} to {numbers.max()}."
        )
    return numbers


def _confusion(name, truth, first, second, classes):
    scores = second.shape[-1] if second.ndim > 1 else 1
    count = max(scores, 2)
    if classes is not None and len(classes) != count:
        raise ValueError(
            f"classes must name the {count} classes of {name!r}. Received: {len(classes)} names. "
            "Leave it out to have numbers."
        )
    counts = []
    for values in (first, second):
        answers = (
            (values.reshape(-1) > 0.5).astype(int)
            if scores == 1
            else values.reshape(-1, scores).argmax(axis=1)
        )
        counts.append(np.bincount(truth * count + answers, minlength=count**2).reshape(count, count))
    return Confusion(name, tuple(classes or map(str, range(count))), *counts)


def _errors(name, truth, first, second):
    if truth.size != second.size:
        raise ValueError(
            f"labels of {name!r} must be class numbers, one-hot rows, or numbers like the outputs of shape "
            f"{second.shape}. Received: labels of shape {truth.shape}."
        )
    truth, *models = (np.asarray(values, np.float64).reshape(-1) for values in (truth, first, second))
    spread = max(float(np.mean((truth - truth.mean()) ** 2)), 1e-30)
    squares = [float(np.mean((values - truth) ** 2)) for values in models]
    chosen = np.linspace(0, len(truth) - 1, min(400, len(truth))).astype(int)
    return Errors(
        output=name,
        mean_absolute=_pair(float(np.mean(np.abs(values - truth))) for values in models),
        root_mean_square=_pair(float(np.sqrt(square)) for square in squares),
        explained=_pair(1 - square / spread for square in squares),
        sample=np.stack([truth, *models], axis=1)[chosen],
    )


def _pair(values):
    first, second = values
    return first, second


def _hits(counts):
    return float(np.trace(counts) / max(counts.sum(), 1))


def _recall(counts):
    rows = counts.sum(axis=1)
    return np.where(rows > 0, np.diag(counts) / np.maximum(rows, 1), np.nan)
