"""What a search found: candidates, the Pareto front, and any of them as a model or a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_shrink.int8_file import int8_file
from keras_shrink.plotting import subplots
from keras_shrink.search import study as records
from keras_shrink.search.building import build
from keras_shrink.search.choices import Chosen
from keras_shrink.search.costs import Cost
from keras_shrink.search.limits import COST_OF_LIMIT
from keras_shrink.search.sketch import Sketch


@dataclass(frozen=True)
class Candidate:
    """A network that was trained to the end.

    Attributes:
        number: Of the trial.
        choices: Name of a choice -> its value.
        accuracy: Of the int8 model on the validation data, or what the trainer returned.
        cost: What it needs; see `Cost` for what is exact and what estimated.
    """

    number: int
    choices: dict[str, Any]
    accuracy: float
    cost: Cost


@dataclass(frozen=True)
class SearchResult:
    """All candidates, the best first; prints as a table of the Pareto front.

    Attributes:
        candidates: Those that were trained to the end.
        stopped: How many were given up while they trained.
        rejected: How many broke a limit before they were built.
        space: The space they come from.
        folder: Where their weights are.
    """

    candidates: tuple[Candidate, ...]
    stopped: int
    rejected: int
    space: Any
    folder: Path

    @property
    def best(self) -> Candidate:
        """The most accurate candidate, the smallest of equals.

        Raises:
            ValueError: If there is none.
        """
        if not self.candidates:
            raise ValueError(
                f"No candidate was trained to the end in {self.folder}. Search with more trials."
            )
        return self.candidates[0]

    def front(self, cost="flash_bytes") -> tuple[Candidate, ...]:
        """Returns the candidates that none beats in accuracy at equal or lower cost, the cheapest first.

        Args:
            cost: `"flash_bytes"`, `"ram_bytes"`, `"arena_bytes"`, `"weight_bytes"`, `"macs"` or
                `"instructions"`.

        Raises:
            ValueError: If there is no such cost.
        """
        if cost not in COST_OF_LIMIT.values():
            raise ValueError(f"cost must be one of {', '.join(COST_OF_LIMIT.values())}. Received: {cost=!r}.")
        ordered = sorted(self.candidates, key=lambda c: (getattr(c.cost, cost), -c.accuracy))
        front: list[Candidate] = []
        for candidate in ordered:
            if not front or candidate.accuracy > front[-1].accuracy:
                front.append(candidate)
        return tuple(front)

    def model(self, candidate=None) -> keras.Model:
        """Returns a candidate, by default the best, as a Keras model with its trained weights."""
        candidate = candidate or self.best
        drawn = self.space(Chosen(candidate.choices))
        model = build(drawn) if isinstance(drawn, Sketch) else drawn
        with np.load(records.weights_path(self.folder, candidate.number)) as saved:
            # In their order: layers without names get new ones each time they are made.
            for variable, name in zip(model.variables, saved.files, strict=True):
                variable.assign(saved[name])
        return model

    def export(self, representative_data, candidate=None):
        """Returns a candidate, by default the best, as an int8 `.tflite`.

        Args:
            representative_data: Inputs for the ranges, as for `calibrate`.
            candidate: One of `candidates`.
        """
        return int8_file(self.model(candidate), representative_data)

    def __str__(self):
        head = f"{'candidate':>9}  {'accuracy':>8}  {'flash':>9}  {'RAM':>9}  {'instructions':>12}  choices"
        lines = [
            f"{len(self.candidates)} candidates trained, {self.stopped} given up, {self.rejected} rejected "
            "before training; the Pareto front of accuracy and flash (sizes in bytes, estimated):",
            head,
        ]
        lines += [
            f"{c.number:>9}  {c.accuracy:>8.4f}  {c.cost.flash_bytes:>9,}  {c.cost.ram_bytes:>9,}  "
            f"{c.cost.instructions:>12,}  " + " ".join(f"{k}={v}" for k, v in c.choices.items())
            for c in self.front()
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def plot(self, axes=None):
        """Draws accuracy against flash, RAM and instructions, the Pareto fronts as lines; returns the axes.

        Args:
            axes: Three matplotlib axes. Defaults to a new figure.

        Raises:
            ModuleNotFoundError: If matplotlib is not installed.
        """
        if axes is None:
            axes = subplots(1, 3, figsize=(12, 4), sharey=True)
        for axis, cost in zip(axes, ("flash_bytes", "ram_bytes", "instructions"), strict=True):
            every = [(getattr(c.cost, cost), c.accuracy) for c in self.candidates]
            best = [(getattr(c.cost, cost), c.accuracy) for c in self.front(cost)]
            axis.scatter(*zip(*every, strict=True), s=14, color="lightgrey", label="candidates")
            axis.plot(
                *zip(*best, strict=True), marker="o", markersize=4, drawstyle="steps-post", label="front"
            )
            axis.set(xlabel=cost.replace("_", " "), ylabel="int8 accuracy", xscale="log")
        axes[0].legend()
        return axes


def result_of(study, space, folder, storage) -> SearchResult:
    """Returns what a study holds so far."""
    complete = [t for t in study.get_trials(deepcopy=False) if records.ACCURACY in t.user_attrs and t.values]
    candidates = [
        Candidate(
            trial.number,
            dict(trial.params),
            trial.user_attrs[records.ACCURACY],
            Cost(**{name: trial.user_attrs[name] for name in COST_OF_LIMIT.values()}),
        )
        for trial in complete
    ]
    candidates.sort(key=lambda c: (-c.accuracy, c.cost.flash_bytes))
    rejected = sum(records.REJECTED in t.user_attrs for t in study.get_trials(deepcopy=False))
    stopped = len(records.trained(study)) - len(complete)
    return SearchResult(tuple(candidates), stopped, rejected, space, Path(folder))
