"""Schedules: functions of the training step that say which fraction is wanted at that step.

A schedule is any function `step -> fraction`. The ones made here also know the first and the last step
at which they change, so that a training run too short for them can be refused before it starts.
"""

import dataclasses
import math
from collections.abc import Callable

from keras_shrink.checks import check_fraction


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A function `step -> fraction` that knows when it starts and when it is finished.

    Attributes:
        value: Function from a step (int, 0 is the first training step) to a fraction.
        begin_step: First step at which the value is not zero.
        end_step: Step from which on the value no longer changes.
        description: What `repr` shows.
    """

    value: Callable[[int], float]
    begin_step: int
    end_step: int
    description: str

    def __call__(self, step):
        """Returns the fraction at a step."""
        return self.value(step)

    def __repr__(self):
        return self.description


def _check_steps(begin_step, end_step):
    for name, step in (("begin_step", begin_step), ("end_step", end_step)):
        if isinstance(step, bool) or not hasattr(step, "__index__") or step < 0:
            raise ValueError(f"{name} must be an integer of at least 0. Received: {name}={step!r}.")
    if end_step < begin_step:
        raise ValueError(
            "end_step must not lie before begin_step. "
            f"Received: begin_step={begin_step}, end_step={end_step}."
        )


def _ramp(initial, final, begin_step, end_step, shape):
    """Returns a function that is 0 before `begin_step` and goes from `initial` to `final` along `shape`."""

    def value(step):
        if step < begin_step:
            return 0.0
        if step >= end_step:
            return final
        return final + (initial - final) * shape((step - begin_step) / (end_step - begin_step))

    return value


def constant(sparsity, *, begin_step=0):
    """Returns a schedule that is 0 before `begin_step` and `sparsity` from then on.

    Args:
        sparsity: Fraction in [0, 1).
        begin_step: First step at which it holds. Default 0.

    Raises:
        ValueError: If `sparsity` is no fraction or `begin_step` is negative.

    Example:
    >>> [constant(0.5, begin_step=10)(step) for step in (0, 10, 20)]
    [0.0, 0.5, 0.5]
    """
    sparsity = check_fraction("sparsity", sparsity)
    _check_steps(begin_step, begin_step)
    value = _ramp(sparsity, sparsity, begin_step, begin_step, lambda progress: 0.0)
    return Schedule(value, begin_step, begin_step, f"constant({sparsity}, begin_step={begin_step})")


def polynomial(initial_sparsity, final_sparsity, *, end_step, begin_step=0, power=3.0):
    """Returns a schedule that rises fast first and slowly towards the end.

    `s(t) = final + (initial - final) * (1 - (t - begin) / (end - begin)) ** power`; 0 before `begin_step`.

    The default power of 3 prunes most while there is much to prune, and leaves the last weights time.

    Args:
        initial_sparsity: Fraction in [0, 1) at `begin_step`.
        final_sparsity: Fraction in [0, 1) at `end_step` and later.
        end_step: Step at which the final fraction is reached.
        begin_step: First step. Default 0.
        power: Exponent above 0. Default 3.

    Raises:
        ValueError: If a fraction, a step or the power is out of range.

    Example:
    >>> schedule = polynomial(0.0, 0.8, end_step=100)
    >>> [round(schedule(step), 4) for step in (0, 50, 100, 200)]
    [0.0, 0.7, 0.8, 0.8]

    Reference:
        Zhu and Gupta, 2017, arXiv:1710.01878.
    """
    initial = check_fraction("initial_sparsity", initial_sparsity)
    final = check_fraction("final_sparsity", final_sparsity)
    _check_steps(begin_step, end_step)
    if not power > 0 or math.isinf(power):
        raise ValueError(f"power must be a number above 0. Received: power={power}.")
    value = _ramp(initial, final, begin_step, end_step, lambda progress: (1.0 - progress) ** power)
    text = f"polynomial({initial}, {final}, begin_step={begin_step}, end_step={end_step}, power={power})"
    return Schedule(value, begin_step, end_step, text)


def cosine(initial_sparsity, final_sparsity, *, end_step, begin_step=0):
    """Returns a schedule that rises along half a cosine: slowly, fast, slowly.

    `s(t) = final + (initial - final) * (1 + cos(pi * (t - begin) / (end - begin))) / 2`.

    Args:
        initial_sparsity: Fraction in [0, 1) at `begin_step`.
        final_sparsity: Fraction in [0, 1) at `end_step` and later.
        end_step: Step at which the final fraction is reached.
        begin_step: First step; the value is 0 before it. Default 0.

    Raises:
        ValueError: If a fraction or a step is out of range.

    Example:
    >>> schedule = cosine(0.0, 0.8, end_step=100)
    >>> [round(schedule(step), 4) for step in (0, 50, 100)]
    [0.0, 0.4, 0.8]
    """
    initial = check_fraction("initial_sparsity", initial_sparsity)
    final = check_fraction("final_sparsity", final_sparsity)
    _check_steps(begin_step, end_step)
    value = _ramp(initial, final, begin_step, end_step, lambda p: (1.0 + math.cos(math.pi * p)) / 2.0)
    text = f"cosine({initial}, {final}, begin_step={begin_step}, end_step={end_step})"
    return Schedule(value, begin_step, end_step, text)


def cyclic(low_sparsity, final_sparsity, *, period, cycles, begin_step=0, power=3.0):
    """Returns a schedule that climbs from `low_sparsity` to `final_sparsity` again and again.

    Each cycle of `period` steps is a `polynomial` ramp; after the last one the final fraction stays. At the
    start of a cycle pruned weights get another chance, so a pruner accepts it only where weights may come
    back (`surgery=Surgery(until=...)`).

    Args:
        low_sparsity: Fraction in [0, 1) at the start of each cycle.
        final_sparsity: Fraction in [0, 1) at the end of each cycle.
        period: Steps per cycle, at least 1.
        cycles: Number of cycles, at least 1.
        begin_step: First step; the value is 0 before it. Default 0.
        power: Exponent of the ramp, above 0. Default 3.

    Raises:
        ValueError: If a fraction or a number is out of range.

    Example:
    >>> schedule = cyclic(0.2, 0.8, period=100, cycles=2)
    >>> [round(schedule(step), 3) for step in (0, 99, 100, 200)]
    [0.2, 0.8, 0.2, 0.8]

    Reference:
        Srinivas et al., 2022, arXiv:2202.01290.
    """
    for name, number in (("period", period), ("cycles", cycles)):
        if isinstance(number, bool) or not hasattr(number, "__index__") or number < 1:
            raise ValueError(f"{name} must be an integer of at least 1. Received: {name}={number!r}.")
    ramp = polynomial(low_sparsity, final_sparsity, end_step=period, power=power)
    end_step = begin_step + period * cycles
    _check_steps(begin_step, end_step)

    def value(step):
        if step < begin_step:
            return 0.0
        return ramp(period if step >= end_step else (step - begin_step) % period)

    text = (
        f"cyclic({low_sparsity}, {final_sparsity}, period={period}, cycles={cycles}, begin_step={begin_step})"
    )
    return Schedule(value, begin_step, end_step, text)
