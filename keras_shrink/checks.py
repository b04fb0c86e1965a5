"""Checks of what a user passed that several features share."""

import numbers
from pathlib import Path


def check_fraction(name, value):
    """Returns `value` as a float when it is a fraction in [0, 1).

    Args:
        name: How the caller calls the value; used in the message.
        value: Number to check.

    Raises:
        ValueError: If `value` is not a number in [0, 1).

    Example:
    >>> check_fraction("sparsity", 0.8)
    0.8
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ValueError(f"{name} must be a number in [0, 1). Received: {name}={value!r}.")
    number = float(value)
    if not 0.0 <= number < 1.0:
        hint = f" Pass a fraction: {number / 100:g}." if 1.0 < number < 100.0 else ""
        raise ValueError(f"{name} must be in [0, 1). Received: {name}={value}.{hint}")
    return number


def check_count(name, value):
    """Raises unless `value` is an integer of at least 1.

    Example:
    >>> check_count("frequency", 100)
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1. Received: {name}={value!r}.")


def check_file(path) -> Path:
    """Returns the path of a file that is there.

    Raises:
        FileNotFoundError: If it is not.

    Example:
    >>> check_file("model.tflite").suffix
    '.tflite'
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no such file. Received: {str(path)!r}.")
    return Path(path)
