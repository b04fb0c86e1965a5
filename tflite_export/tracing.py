"""What a layer can learn and ask for while the model it is in is traced for conversion."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

_PLACED: contextvars.ContextVar[list[Any] | None] = contextvars.ContextVar("placed", default=None)
_PLACES: contextvars.ContextVar[bool] = contextvars.ContextVar("places", default=False)


@contextlib.contextmanager
def tracing(*, places: bool) -> Iterator[list[Any]]:
    """While active, layers trace themselves as a device runs them: sample by sample, loops unrolled.

    Args:
        places: Whether layers may ask for operators that the converter cannot make (`placed_lstm`).

    Yields:
        A list that fills with what layers ask for.
    """
    placed: list[Any] = []
    tokens = _PLACED.set(placed), _PLACES.set(places)
    try:
        yield placed
    finally:
        _PLACED.reset(tokens[0])
        _PLACES.reset(tokens[1])


def is_tracing() -> bool:
    """Whether the call is traced for conversion."""
    return _PLACED.get() is not None


def can_place() -> bool:
    """Whether a layer may ask for an operator."""
    return _PLACES.get()


def place(asked: Any) -> int:
    """Notes what a layer asks for and returns its number."""
    placed = _PLACED.get()
    if placed is None or not can_place():
        raise RuntimeError("A layer can ask for an operator only while an int8 file is made of its model.")
    placed.append(asked)
    return len(placed) - 1
