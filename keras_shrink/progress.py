"""A progress bar for whoever watches: on a terminal or in a notebook that has widgets, nowhere else."""

from collections.abc import Iterable
from importlib.util import find_spec

from rich.console import Console
from rich.progress import track


def watched(items: Iterable, title: str):
    """Yields the items; shows how many are done until the last one is.

    Example:
    >>> list(watched([1, 2], "counting"))
    [1, 2]
    """
    console = Console()
    shown = find_spec("ipywidgets") if console.is_jupyter else console.is_terminal
    yield from track(items, title, console=console, transient=True) if shown else items
