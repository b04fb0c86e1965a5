"""A progress bar for whoever watches: on a terminal or in a notebook, nowhere else."""

from collections.abc import Iterable

from rich.console import Console
from rich.progress import track


def watched(items: Iterable, title: str):
    """Yields the items; shows how many are done until the last one is.

    Example:
    >>> list(watched([1, 2], "counting"))
    [1, 2]
    """
    console = Console()
    hidden = not (console.is_terminal or console.is_jupyter)
    yield from track(items, title, console=console, transient=True, disable=hidden)
