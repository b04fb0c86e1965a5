"""What a search space asks, and who answers: a sampler, a generator, or a candidate chosen before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Choices(Protocol):
    """Answers the questions of a search space; each has a name, asked once for each candidate."""

    def int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """Returns one of `low`, `low + step`, ... up to `high`."""

    def categorical(self, name: str, options: Sequence[Any]) -> Any:
        """Returns one of the options: strings, numbers, booleans or None."""


class Chosen:
    """Answers with the values of a candidate: the way to build it again.

    Args:
        values: Name of a choice -> its value.

    Raises:
        ValueError: When a choice is asked for that is not there or not allowed.

    Example:
    >>> Chosen({"filters": 16}).int("filters", 8, 32, step=8)
    16
    """

    def __init__(self, values: Mapping[str, Any]):
        self.values = values

    def int(self, name, low, high, *, step=1):
        """Returns the value chosen."""
        return self._allowed(name, range(low, high + 1, step))

    def categorical(self, name, options):
        """Returns the value chosen."""
        return self._allowed(name, options)

    def _allowed(self, name, options):
        if name not in self.values or self.values[name] not in options:
            raise ValueError(
                f"The candidate is not of this space: {name} must be one of {list(options)[:20]}. "
                f"Received: {name}={self.values.get(name, 'nothing')!r}."
            )
        return self.values[name]


class Drawn:
    """Answers at random, and remembers what it said in `values`, what was allowed in `options`.

    Args:
        generator: A `numpy.random.Generator`.

    Example:
    >>> import numpy as np
    >>> drawn = Drawn(np.random.default_rng(0))
    >>> drawn.categorical("kernel", (3, 5, 7)) == drawn.values["kernel"]
    True
    """

    def __init__(self, generator):
        self.generator = generator
        self.values: dict[str, Any] = {}
        self.options: dict[str, tuple] = {}

    def int(self, name, low, high, *, step=1):
        """Returns a number, each equally likely."""
        return self.categorical(name, range(low, high + 1, step))

    def categorical(self, name, options):
        """Returns an option, each equally likely."""
        if name not in self.values:
            self.options[name] = tuple(options)
            self.values[name] = options[self._place(name, len(options))]
        return self.values[name]

    def _place(self, name, count):
        return int(self.generator.integers(count))


class OfTrial:
    """Answers with what an Optuna trial suggests.

    Args:
        trial: `optuna.trial.Trial`.
    """

    def __init__(self, trial):
        self.trial = trial

    def int(self, name, low, high, *, step=1):
        """Returns the trial's suggestion."""
        return self.trial.suggest_int(name, low, high, step=step)

    def categorical(self, name, options):
        """Returns the trial's suggestion."""
        return self.trial.suggest_categorical(name, list(options))
