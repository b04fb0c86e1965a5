"""Numbers that depend on choices nobody has made yet: what a space gets while its supernet is drawn."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np


class Mixture:
    """A number (or another option) that has several values, with a probability each once there is a policy.

    It can be multiplied, divided without remainder and negated, which gives a mixture again; different
    choices are independent. What it cannot do is to decide something in Python, since it has no value.

    Args:
        values: Those that are possible, all different.
        names: The choices that it depends on.
        parts: The mixtures that it was made of; none for a choice itself.
        places: Array `(outcomes of the parts, values)` with a one where an outcome gives a value.
        joint: Whether outcomes are all combinations of the parts' values; else the first part selects one of
            the others.

    Example:
    >>> (2 * Mixture((8, 16), ("filters",))).values
    (16, 32)
    """

    def __init__(self, values, names, parts=(), places=None, joint=True):
        self.values, self.names = tuple(values), names
        self.parts, self.places, self.joint = parts, places, joint

    def _refuse(self, *_):
        raise ValueError(
            f"The space decides in Python by {' and '.join(self.names)}, so its candidates cannot be mixed. "
            "Say it with sketch.repeat, sketch.either or sketch.residual, or choose another strategy than "
            "'gradient'."
        )

    __bool__ = __index__ = __int__ = __float__ = __iter__ = __hash__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse  # type: ignore[assignment]

    def __mul__(self, other):
        """Returns the product with a number or another mixture."""
        return combined(operator.mul, self, other)

    __rmul__ = __mul__

    def __floordiv__(self, other):
        """Returns the quotient."""
        return combined(operator.floordiv, self, other)

    def __rfloordiv__(self, other):
        """Returns the quotient of a number and this."""
        return combined(operator.floordiv, other, self)

    def __neg__(self):
        """Returns the negative."""
        return combined(operator.neg, self)


def is_mixed(*values):
    """Returns whether any of the values is a `Mixture`."""
    return any(isinstance(value, Mixture) for value in values)


def highest(value):
    """Returns the largest value of a mixture, or the number itself."""
    return max(value.values) if is_mixed(value) else value


def combined(function, *operands) -> Any:
    """Returns `function` of numbers and mixtures: a mixture of its results, or the only one there is.

    Example:
    >>> combined(max, 1, 3)
    3
    """
    parts = tuple(map(_as_mixture, operands))
    results = [function(*values) for values in itertools.product(*(part.values for part in parts))]
    return _merged(results, parts, joint=True)


def selected(choice, options) -> Any:
    """Returns the mixture of what a mixture selects.

    Args:
        choice: A `Mixture`.
        options: Value of the choice -> number or mixture.
    """
    parts = (choice, *(_as_mixture(options[value]) for value in choice.values))
    return _merged([value for part in parts[1:] for value in part.values], parts, joint=False)


def _as_mixture(value):
    return value if is_mixed(value) else Mixture((value,), ())


def _merged(results, parts, joint):
    distinct = tuple(dict.fromkeys(results))
    if len(distinct) == 1:
        return distinct[0]
    names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    places = np.array([[result == value for value in distinct] for result in results], "float32")
    return Mixture(distinct, names, parts, places, joint)


class Undecided:
    """Answers a space with mixtures, and remembers the options of each choice that has several.

    Example:
    >>> undecided = Undecided()
    >>> undecided.int("filters", 8, 24, step=8).values, undecided.options
    ((8, 16, 24), {'filters': (8, 16, 24)})
    """

    def __init__(self):
        self.options: dict[str, tuple] = {}

    def int(self, name, low, high, *, step=1):
        """Returns the mixture of the numbers."""
        return self.categorical(name, range(low, high + 1, step))

    def categorical(self, name, options):
        """Returns the mixture of the options, or the only one."""
        if len(options) == 1:
            return options[0]
        self.options[name] = tuple(options)
        return Mixture(self.options[name], (name,))
