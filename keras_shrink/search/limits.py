"""What a candidate may cost at most."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

_UNITS = {"": 1, "b": 1, "kb": 1000, "kib": 1024, "mb": 10**6, "mib": 1024**2, "k": 1000, "m": 10**6}


def parse_size(name, value):
    """Returns a whole number for a number or a text such as `"64 KiB"`, `"20kB"` or `"5M"`; None stays.

    KiB and MiB are powers of 1024; kB and MB, k and M of 1000.

    Raises:
        ValueError: If it is neither, or not greater than 0.

    Example:
    >>> parse_size("flash", "64 KiB"), parse_size("macs", "2.5M")
    (65536, 2500000)
    """
    if value is None:
        return None
    found = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", str(value).lower().replace("_", ""))
    number = None
    if found and found[2] in _UNITS and not isinstance(value, bool):
        try:
            number = round(float(found[1]) * _UNITS[found[2]])
        except ValueError:
            number = None
    if not number:
        raise ValueError(
            f'{name} must be a number greater than 0 or a text like "64 KiB" or "5M". '
            f"Received: {name}={value!r}."
        )
    return number


@dataclass(frozen=True)
class Limits:
    """The most that a candidate may need; None is no limit. Texts such as `"64 KiB"` become numbers.

    Attributes:
        flash: Linked flash of the standalone C in bytes, code included (estimated before training).
        ram: Static RAM of the standalone C in bytes (estimated).
        arena: Activations in TFLM in bytes, without TFLM's own structures.
        weights: Bytes of int8 weights and int32 biases.
        macs: Multiply-accumulates of one inference.
        instructions: Instructions of one inference on a Cortex-M4 (estimated).

    Example:
    >>> Limits(flash="64 KiB").flash
    65536
    """

    flash: int | str | None = None
    ram: int | str | None = None
    arena: int | str | None = None
    weights: int | str | None = None
    macs: int | str | None = None
    instructions: int | str | None = None

    def __post_init__(self):
        """Turns texts into numbers and checks them."""
        for limit in dataclasses.fields(self):
            object.__setattr__(self, limit.name, parse_size(limit.name, getattr(self, limit.name)))

    def broken_by(self, cost) -> dict[str, float]:
        """Returns the limits that a `Cost` breaks: name -> cost over limit.

        Example:
        >>> from keras_shrink.search.costs import Cost
        >>> Limits(macs=100).broken_by(Cost(250, 0, 0, 0, 0, 0))
        {'macs': 2.5}
        """
        return {
            name: needed / limit
            for name, attribute in COST_OF_LIMIT.items()
            if (limit := getattr(self, name)) is not None and (needed := getattr(cost, attribute)) > limit
        }


COST_OF_LIMIT = {
    "flash": "flash_bytes",
    "ram": "ram_bytes",
    "arena": "arena_bytes",
    "weights": "weight_bytes",
    "macs": "macs",
    "instructions": "instructions",
}
