"""How much each layer of a model can take: one layer and one amount at a time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_shrink import scoring, select
from keras_shrink.analysis import perturbations
from keras_shrink.plotting import subplots
from keras_shrink.progress import watched
from keras_shrink.rebuild import check_rebuildable, rebuild
from keras_shrink.select import find_kernels


@dataclass(frozen=True)
class Sensitivity:
    """The score of the model with one kernel treated, for each kernel and amount; prints as a table.

    Attributes:
        technique: What was done to a kernel.
        metric: Name of the metric.
        baseline: Score of the model as it was.
        amounts: The amounts, in the order given.
        scores: Name of a kernel (see `select.Kernel.name`) -> its scores, one for each amount.
        layers: Name of a kernel -> name of the layer that owns it.
    """

    technique: str
    metric: str
    baseline: float
    amounts: tuple[float, ...]
    scores: dict[str, tuple[float, ...]]
    layers: dict[str, str]

    def allocation(self, max_drop: float) -> dict[select.Predicate, float]:
        """Returns for each layer the strongest amount that costs at most `max_drop` of the score alone.

        The result can be given to `prune`, `GradualPruning` and others that take a mapping from
        predicates. Layers that take none of the amounts are left out. Drops of several layers add up
        and more, so ask for a fraction of what you can bear.

        Args:
            max_drop: In the metric's unit, 0.01 for one point of accuracy.

        Raises:
            ValueError: If no layer takes any amount.
        """
        chosen: dict[str, float | None] = {}
        for name, scores in self.scores.items():
            fine = [a for a, s in zip(self.amounts, scores, strict=True) if s >= self.baseline - max_drop]
            strongest = max(fine, key=self._strength, default=None)
            owner = self.layers[name]
            if strongest is None:
                chosen[owner] = None
            elif owner not in chosen:
                chosen[owner] = strongest
            elif chosen[owner] is not None:
                chosen[owner] = min(chosen[owner], strongest, key=self._strength)
        kept = {name: amount for name, amount in chosen.items() if amount is not None}
        if not kept:
            raise ValueError(
                f"No layer takes any of the amounts {self.amounts} at that drop. Received: {max_drop=}. "
                "Allow more, or measure smaller amounts."
            )
        return {select.by_name(name): amount for name, amount in kept.items()}

    def _strength(self, amount):
        return perturbations.strength(self.technique, amount)

    def ranked(self) -> list[str]:
        """Returns the kernels' names, the most sensitive first (by the mean score over the amounts)."""
        return sorted(self.scores, key=lambda name: float(np.mean(self.scores[name])))

    def __str__(self):
        width = max(len("kernel"), *(len(name) for name in self.scores))
        head = f"{'kernel':{width}}" + "".join(f"  {amount:>7g}" for amount in self.amounts)
        lines = [f"{self.technique}: {self.metric} with one kernel treated; {self.baseline:.4f} with none"]
        lines += [head, "-" * len(head)]
        lines += [
            f"{name:{width}}" + "".join(f"  {score:7.4f}" for score in self.scores[name])
            for name in self.ranked()
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def plot(self, axes=None):
        """Draws a line for each kernel and returns the matplotlib axes.

        Args:
            axes: Where to draw. Defaults to a new figure.

        Raises:
            ModuleNotFoundError: If matplotlib is not installed.
        """
        if axes is None:
            axes = subplots(figsize=(8, 5))
        for name in self.ranked():
            axes.plot(self.amounts, self.scores[name], marker="o", markersize=3, label=name)
        axes.axhline(self.baseline, color="grey", linestyle=":", label="untouched")
        axes.set(xlabel=perturbations.unit(self.technique), ylabel=self.metric, title=self.technique)
        axes.legend(fontsize="x-small", loc="best", ncols=2)
        return axes


def sensitivity(model, data, technique="prune", amounts=None, *, layers=select.has_kernel,
                metric="accuracy", results=None) -> Sensitivity:  # fmt: skip
    """Returns how the score of a model falls when a technique is applied to one kernel at a time.

    Weights are changed, measured and put back on a copy; nothing is trained. So the figures tell
    which layers can take more than others, not what is lost after training.

    Args:
        model: A built Functional or Sequential model. It is not touched.
        data: A pair `(inputs, labels)` of arrays; a thousand samples that training did not see do.
        technique: `"prune"` (fraction of zeros, least magnitudes first), `"quantize"` (bits of the
            weights, a scale for each output channel), `"cluster"` (number of values in a kernel),
            `"factorize"` (rank, as a fraction of the full one), `"prune_channels"` (fraction of the
            output channels, those of least L1 norm), or a function `(kernel array, output_axis, amount)
            -> array`.
        amounts: What to try. Defaults to a handful that suits the technique.
        layers: Which layers: a predicate, a layer or a list of layers.
        metric: `"accuracy"` or a function `(labels, outputs) -> float`, higher for better.
        results: Path of a JSON Lines file to which each score is added when it is known; what is in it
            already for the same model, data and technique is not computed again.

    Raises:
        ValueError: If no layer is chosen, the technique is unknown, an amount is out of its range, the
            data does not fit, or `results` belongs to another measurement.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="fc")])
    >>> report = sensitivity(model, (np.random.rand(64, 4), np.zeros(64, int)), amounts=(0.5, 0.9))
    >>> list(report.scores)
    ['fc']

    Reference:
        Han et al., 2015, arXiv:1506.02626, section 4; Li et al., 2016, arXiv:1608.08710.
    """
    check_rebuildable(model)
    perturb = perturbations.find(technique)
    amounts = perturbations.checked_amounts(technique, amounts)
    scoring.as_metric(metric)
    twin = rebuild(model)
    names = {kernel.name for kernel in find_kernels(model, layers)}
    kernels = [kernel for kernel in find_kernels(twin) if kernel.name in names]
    if not kernels:
        raise ValueError(f"No layer was chosen. Received: {layers=!r}.")
    technique_name = technique if isinstance(technique, str) else getattr(technique, "__name__", "custom")
    metric_name = scoring.name_of(metric)
    known = _Known(results, _fingerprint(model, data, technique_name, metric_name))
    baseline = known.get("", 0, lambda: scoring.keras_score(twin, data, metric))
    scores: dict[str, list[float]] = {kernel.name: [] for kernel in kernels}
    work = [(kernel, amount) for kernel in kernels for amount in amounts]
    for kernel, amount in watched(work, technique_name):
        scores[kernel.name].append(
            known.get(
                kernel.name, amount, lambda k=kernel, a=amount: _with(twin, k, perturb, a, data, metric)
            )
        )
    return Sensitivity(
        technique_name,
        metric_name,
        baseline,
        tuple(amounts),
        {name: tuple(values) for name, values in scores.items()},
        {kernel.name: kernel.layer.name for kernel in kernels},
    )


def _with(model, kernel, perturb, amount, data, metric):
    before = keras.ops.convert_to_numpy(kernel.variable)
    kernel.variable.assign(perturb(before.astype(np.float64), kernel.output_axis, amount))
    try:
        return scoring.keras_score(model, data, metric)
    finally:
        kernel.variable.assign(before)


def _fingerprint(model, data, *names):
    inputs, labels = scoring.as_pair(data)
    digest = hashlib.sha256("|".join(names).encode())
    for array in [*model.get_weights(), *keras.tree.flatten(inputs), labels]:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


class _Known:
    """Scores that are known already, kept in a file where there is one."""

    def __init__(self, path, fingerprint):
        self.path, self.fingerprint = None if path is None else Path(path), fingerprint
        self.scores = {}
        lines = self.path.read_text().splitlines() if self.path is not None and self.path.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
            except ValueError:
                if number == len(lines):  # the process ended while it wrote
                    break
                raise ValueError(
                    f"results is not a file of scores. Received: {path}, line {number}."
                ) from None
            if entry["of"] != fingerprint:
                raise ValueError(
                    "results holds scores of another model, data, technique or metric. "
                    f"Received: {path}. Name a new file."
                )
            self.scores[entry["kernel"], entry["amount"]] = entry["score"]

    def get(self, kernel, amount, compute):
        if (kernel, amount) not in self.scores:
            self.scores[kernel, amount] = score = compute()
            if self.path is not None:
                line = {"of": self.fingerprint, "kernel": kernel, "amount": amount, "score": score}
                with self.path.open("a") as file:
                    file.write(json.dumps(line) + "\n")
        return self.scores[kernel, amount]
