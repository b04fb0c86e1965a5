import io

import pytest
from rich.console import Console

from keras_shrink import progress


@pytest.fixture
def console(monkeypatch):
    """Stands in for the place that is written to."""

    def use(**place):
        console = Console(file=io.StringIO(), **place)
        monkeypatch.setattr(progress, "Console", lambda: console)
        return console

    return use


def test_a_terminal_shows_the_title(console):
    screen = console(force_terminal=True, force_jupyter=False)
    assert list(progress.watched([1, 2], "counting")) == [1, 2]
    assert "counting" in screen.file.getvalue()


def test_a_file_gets_nothing(console):
    file = console(force_terminal=False, force_jupyter=False)
    assert list(progress.watched([1, 2], "counting")) == [1, 2]
    assert file.file.getvalue() == ""


def test_a_notebook_without_widgets_gets_neither_bar_nor_warning(console, monkeypatch):
    console(force_jupyter=True)
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    monkeypatch.setattr(progress, "track", None)
    assert list(progress.watched([1, 2], "counting")) == [1, 2]
