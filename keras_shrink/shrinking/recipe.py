"""Steps that a user sets, in Python or in a TOML file, instead of those that `shrink` would choose."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from keras_shrink.checks import check_file
from keras_shrink.shrinking.steps import TECHNIQUES
from keras_shrink.shrinking.training import Training

_OF_STEP = ("technique", "epochs", "learning_rate", "max_accuracy_drop")
_GOALS = {
    "prune_channels": ("amount", "parameters", "macs", "arena_bytes", "multiple"),
    "factorize": ("parameters", "macs", "energy", "multiple"),
}


@dataclass(frozen=True)
class Planned:
    """One step of a recipe.

    Attributes:
        technique: `"strips"`, `"int4"`, `"prune_channels"`, `"factorize"`, `"prune"`, `"cluster"` or
            `"train"`.
        amount: Keyword arguments of the technique, such as `{"parameters": 0.7}`.
        epochs: Of the training behind it; None for that of the recipe.
        learning_rate: Likewise.
        max_accuracy_drop: What may be lost up to here; None for that of the budget. A step that loses more is
            taken back.
    """

    technique: str
    amount: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    learning_rate: float | None = None
    max_accuracy_drop: float | None = None

    def __post_init__(self):
        """Checks names."""
        if self.technique not in TECHNIQUES:
            raise ValueError(
                f"technique must be one of {', '.join(TECHNIQUES)}. Received: technique={self.technique!r}."
            )
        allowed = _GOALS.get(self.technique) or _keywords(TECHNIQUES[self.technique].apply)
        unknown = sorted(set(self.amount) - set(allowed))
        if unknown:
            raise ValueError(
                f"The step {self.technique!r} takes {', '.join(allowed) or 'no amount'}. "
                f"Received: {', '.join(unknown)}."
            )
        if not self.amount and TECHNIQUES[self.technique].lowers:
            raise ValueError(
                f"The step {self.technique!r} needs an amount: {', '.join(allowed)}. Received: none."
            )


@dataclass(frozen=True)
class Recipe:
    """The steps to take, in order, and how to train.

    Attributes:
        steps: Of `Planned`. Without any, `shrink` chooses.
        training: Settings of all of them.

    Example:
    >>> Recipe((Planned("int4", {"share": 1.0}),)).steps[0].technique
    'int4'
    """

    steps: tuple[Planned, ...] = ()
    training: Training = field(default_factory=Training)


def read_recipe(path) -> Recipe:
    """Returns the recipe in a TOML file.

    The table `[training]` has the fields of `Training`; each `[[steps]]` has `technique`, its amount (such as
    `parameters = 0.7`), and `epochs`, `learning_rate` and `max_accuracy_drop` where they differ.

    Raises:
        ValueError: If it is not TOML, or holds what is not known.
        FileNotFoundError: If there is no such file.

    Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp(), "recipe.toml")
    >>> _ = file.write_text("steps = [{ technique = 'prune_channels', parameters = 0.7 }]")
    >>> read_recipe(file).steps[0].amount
    {'parameters': 0.7}
    """
    path = check_file(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}.") from error
    unknown = sorted(set(content) - {"training", "steps"})
    if unknown:
        raise ValueError(f"A recipe has [training] and [[steps]]. Received: {', '.join(unknown)} in {path}.")
    settings = content.get("training", {})
    known = [each.name for each in fields(Training)]
    wrong = sorted(set(settings) - set(known))
    if wrong:
        raise ValueError(f"[training] has {', '.join(known)}. Received: {', '.join(wrong)} in {path}.")
    return Recipe(tuple(_step(entry, path) for entry in content.get("steps", [])), Training(**settings))


def _step(entry, path):
    if "technique" not in entry:
        raise ValueError(
            f"Each of [[steps]] needs a technique, one of {', '.join(TECHNIQUES)}. "
            f"Received: {sorted(entry)} in {path}."
        )
    amount = {name: value for name, value in entry.items() if name not in _OF_STEP}
    return Planned(**{name: entry[name] for name in _OF_STEP if name in entry}, amount=amount)


def _keywords(function):
    parameters = inspect.signature(function).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
