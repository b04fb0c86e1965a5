"""`Pruner`: prunes a model step by step, in any training loop."""

import dataclasses
import logging
import warnings
from typing import Any

import keras
import numpy as np

from keras_shrink import select
from keras_shrink.checks import check_count
from keras_shrink.pruning import masks, patterns, scores
from keras_shrink.pruning.choices import Surgery, as_choices, check_pattern_and_score, evaluate
from keras_shrink.pruning.constraint import MaskConstraint, distribution_scope, read, retrace
from keras_shrink.pruning.held import Held

_log = logging.getLogger("keras_shrink")
_CHECKS = 5  # updates that look whether the train step holds the zeros; later only each hundredth does


@dataclasses.dataclass(eq=False)
class _Group:
    """Kernels that follow one schedule, and how far it has got."""

    schedule: Any
    kernels: list
    held: Any = None
    last_step: int | None = None
    last_fraction: float | None = None
    checks: int = 0


class Pruner:
    """Prunes a model while it trains: `begin(model)`, then `step()` before each training step, then `end()`.

    `GradualPruning` does this in `fit`; use a `Pruner` in a training loop of your own. The kernels get a
    constraint that holds the zeros, so `begin` comes before the train step is traced, and the loop updates
    weights through a Keras optimizer. After `end` the constraint stays: fine-tuning in the same process
    keeps the zeros. A saved model is a plain Keras model without it; `keep_zeros(model)` or another `begin`
    takes up the zeros of a loaded one.

    Args:
        schedule: Fraction in [0, 1), schedule, or mapping from a choice of layers to either; a kernel
            follows the first entry that chooses it.
        layers: Predicate, function `layer -> bool`, layer, or list of layers. By default every layer with a
            kernel; biases and normalizations are never pruned.
        pattern: `Element()`, `Block(...)` or `NofM(...)`.
        score: Function `weight -> array`, `Movement()` or `Taylor(...)`; the lowest are pruned first.
        scope: `"layer"`, `"global"` or `Global(...)`.
        frequency: Steps between updates of the masks.
        surgery: None, or `Surgery(until=...)`: pruned weights live on behind the mask and may come back.
        keep_zeros: Whether weights that are zero at the start stay so. A kernel that is all zeros is taken
            as not pruned.

    Raises:
        ValueError: If a choice is out of range.

    Example:
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    >>> pruner = Pruner(0.5)
    >>> pruner.begin(model)
    >>> pruner.step()
    True
    >>> pruner.end()
    >>> pruner.sparsity
    0.5

    Reference:
        Zhu and Gupta, 2017, arXiv:1710.01878; Guo et al., 2016, arXiv:1608.04493 (`surgery`).
    """

    def __init__(
        self,
        schedule,
        *,
        layers=select.has_kernel,
        pattern=patterns.Element(),  # noqa: B008 - frozen, so it can be shared
        score=scores.magnitude,
        scope="layer",
        frequency=100,
        surgery=None,
        keep_zeros=True,
    ):
        self._choices = as_choices(schedule, layers)
        check_count("frequency", frequency)
        check_pattern_and_score(pattern, score)
        if surgery is not None and not isinstance(surgery, Surgery):
            raise ValueError(f"surgery must be None or a Surgery(until=...). Received: surgery={surgery!r}.")
        self.pattern = pattern
        self.score = score
        self.scope = masks.as_scope(scope) or "layer"
        self.frequency = frequency
        self.surgery = surgery
        self.keep_zeros = keep_zeros
        self.skipped = {}
        self._model = None
        self._optimizer = None
        self._groups = []
        self._constraints = {}
        self._kept = []
        self._leaking = False
        self._start = 0
        self._counted = 0

    def begin(self, model, optimizer=None, *, at_step=None):
        """Takes up a model: finds its kernels and makes their constraints.

        A pruner that has seen the model before goes on where it was.

        Args:
            model: A built Keras model.
            optimizer: Keras optimizer whose `iterations` count the steps; by default the model's. Without
                any, calls of `step` are counted.
            at_step: Step of the schedule at which training stands; by default 0, or where this pruner was.

        Raises:
            ValueError: If the model is not built, no layer is chosen, or a schedule does not fit.
        """
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "Pruning needs the TensorFlow backend: on JAX, Keras applies no constraints, and pruned "
                f"weights would come back. Received: backend={keras.backend.backend()}. "
                "Set KERAS_BACKEND=tensorflow."
            )
        if not model.built:
            raise ValueError(
                f"The model must be built before it is pruned. Received: model={model.name!r}. "
                "Call it on a batch, or give it an Input."
            )
        known = self.knows(model)
        reached = self.current_step if known else 0
        self._optimizer = optimizer if optimizer is not None else getattr(model, "optimizer", None)
        self._start = self._iterations() - (reached if at_step is None else at_step)
        if not known:
            self._groups = self._find_groups(model)
            for group in self._groups:
                self._fraction(group.schedule, getattr(group.schedule, "end_step", 0))
            self._model = model
        with distribution_scope(model):
            self._hold_zeros(model)

    def knows(self, model):
        """Returns whether this pruner has begun with the model before."""
        return self._model is model

    def step(self):
        """Updates the masks where the schedule asks for it. Call it before each training step.

        Returns:
            Whether masks were computed anew.
        """
        if self._leaking:
            for group in self._groups:
                group.held.apply()
        step = self.current_step
        self._counted += 1
        due = [group for group in self._groups if self._is_due(group, step)]
        return sum(self._update(group, step) for group in due) > 0

    def end(self):
        """Brings the masks to where the schedule stands and the weights to exactly what the masks say."""
        step = self.current_step
        for group in self._groups:
            group.held.apply()  # first of all: averaged weights may just have been written over the zeros
            if step >= getattr(group.schedule, "begin_step", 0):
                self._update(group, step)
            for constraint in group.held.constraints:
                constraint.settle()

    @property
    def current_step(self):
        """Step of the schedule: training steps since the start, resumed ones included."""
        return self._iterations() - self._start

    @property
    def last_step(self):
        """Step after which no schedule changes any more, as far as the schedules know it."""
        return max((getattr(schedule, "end_step", 0) for _, schedule in self._choices), default=0)

    @property
    def sparsity(self):
        """Fraction of the chosen kernels' weights that the masks leave out."""
        total = sum(size for _, _, size in self._kept)
        return 1.0 - sum(kept for _, kept, _ in self._kept) / total if total else 0.0

    @property
    def layer_sparsity(self):
        """The same per kernel, as a dict by its name."""
        return {name: 1.0 - kept / size for name, kept, size in self._kept}

    def masks(self):
        """Returns a dict from a kernel's name to its mask: a bool array, True where a weight is kept."""
        return {
            name: mask
            for group in self._groups
            for name, mask in zip(group.held.names, group.held.masks, strict=True)
        }

    def fractions(self, step):
        """Returns the fraction that each schedule asks for at a step, as a list."""
        return [self._fraction(schedule, step) for _, schedule in self._choices]

    def _count(self):
        self._kept = [row for group in self._groups for row in group.held.kept_and_sizes()]

    def _iterations(self):
        return self._counted if self._optimizer is None else int(self._optimizer.iterations.numpy())

    def _find_groups(self, model):
        groups, taken = [], set()
        self.skipped = {}
        for choice, schedule in self._choices:
            found = [k for k in select.find_kernels(model, choice) if id(k.variable) not in taken]
            taken.update(id(kernel.variable) for kernel in found)
            for kernel in found:
                if kernel.frozen:
                    self.skipped[kernel.name] = "frozen"
            groups.append(_Group(schedule, [kernel for kernel in found if not kernel.frozen]))
        if self.skipped:
            _log.warning("Not pruned: %s", ", ".join(f"{k} ({why})" for k, why in self.skipped.items()))
        if not any(group.kernels for group in groups):
            there = [kernel.name for kernel in select.find_kernels(model) if not kernel.frozen]
            raise ValueError(
                "No layer to prune was chosen. "
                f"Received: layers={[choice for choice, _ in self._choices]}, frozen: {list(self.skipped)}. "
                f"Layers with a kernel that can be trained: {there}."
            )
        return [group for group in groups if group.kernels]

    def _fraction(self, schedule, step):
        """Returns the fraction that a schedule asks for at a step, if the pattern can give it."""
        fraction, largest = evaluate(schedule, step), self.pattern.largest_fraction()
        if fraction > largest + 1e-9:
            raise ValueError(
                f"{self.pattern} makes at most {largest:g} of the weights zero. "
                f"Received: schedule={schedule}, which asks for {fraction:g} at step {step}. "
                "Ask for less or choose another pattern."
            )
        return fraction

    def _hold_zeros(self, model):
        """Gives every kernel its constraint; those that have one from an earlier run keep its mask."""
        live, increment = self.surgery is not None, getattr(self.score, "increment", None)
        changed = False
        for group in self._groups:
            constraints = []
            for variable in (kernel.variable for kernel in group.kernels):
                held = variable.constraint
                ours = held is not None and held is self._constraints.get(id(variable))
                if not ours:
                    mask = _starting_mask(variable, self.keep_zeros)
                    plain = type(held) is MaskConstraint and held.dense is None and held.total is None
                    if plain and not live and not increment:
                        held.mask.assign(mask)
                    else:
                        held = MaskConstraint(variable, mask, surgery=self.surgery, increment=increment)
                        variable.constraint = held
                        changed = True
                    self._constraints[id(variable)] = held
                constraints.append(held)
            if group.held is None or group.held.constraints != constraints:
                ranked_by = MaskConstraint.moved if increment else MaskConstraint.live
                group.held = Held(group.kernels, constraints, ranked_by)
            group.held.apply()
        self._count()
        if changed:
            retrace(model)

    def _is_due(self, group, step):
        begin = getattr(group.schedule, "begin_step", 0)
        if step < begin:
            return False
        if group.last_step is None:
            return True
        ends = (getattr(group.schedule, "end_step", 0), self.surgery.until if self.surgery else 0)
        passed = any(group.last_step < end <= step for end in ends)
        return passed or (step - begin) // self.frequency != (group.last_step - begin) // self.frequency

    def _update(self, group, step):
        """Makes the masks of a group those of `step`."""
        fraction = self._fraction(group.schedule, step)
        regrows = self.surgery is not None and step <= self.surgery.until
        same = group.last_fraction is not None and fraction <= group.last_fraction
        group.last_step = step
        held = group.held
        if not self._leaking and (group.checks < _CHECKS or group.checks % 100 == 0) and held.leaks():
            self._report_leak()
        group.checks += 1
        if same and not regrows:
            return False
        scores = self._scores(held)
        group.last_fraction = fraction
        ranked = [
            masks.Ranked(score, np.zeros_like(mask) if regrows else ~mask, axes)
            for score, mask, axes in zip(scores, held.masks, held.axes, strict=True)
        ]
        held.keep(masks.compute_masks(ranked, fraction, self.pattern, self.scope))
        self._count()
        return True

    def _scores(self, held):
        if hasattr(self.score, "measure"):
            return self.score.measure(self._model, [kernel.variable for kernel in held.kernels])
        if hasattr(self.score, "increment"):
            return held.values()
        values = held.values()
        found = [np.asarray(self.score(value)) for value in values]
        for name, value, score in zip(held.names, values, found, strict=True):
            if score.shape != value.shape:
                raise ValueError(
                    f"score must return an array of the weight's shape {value.shape}. "
                    f"Received: shape {score.shape} for {name}."
                )
        return found

    def _report_leak(self):
        self._leaking = True
        warnings.warn(
            "Pruned weights came back during training: the train step does not apply the constraints of "
            "the variables. From now on the masks are applied before each step. To have them inside the "
            "step, call begin(model) before the step is traced and update weights with a Keras optimizer.",
            stacklevel=4,
        )


def _starting_mask(variable, keep_zeros):
    value = read(variable)
    mask = np.ones(value.shape, bool)
    if isinstance(variable.constraint, MaskConstraint):
        mask &= read(variable.constraint.mask)
    zeros = value == 0
    if keep_zeros and not zeros.all():
        mask &= ~zeros
    return mask
