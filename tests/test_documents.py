"""What the documents show runs, and what they point to exists."""

import importlib
import re
import types
from pathlib import Path

import numpy as np
import pytest
import typer

import keras_shrink as ks
import tflite_export as te
from keras_shrink.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path):
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.M | re.S)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in PAGES if blocks(path)], ids=lambda path: path.name)
def test_the_python_runs_from_top_to_bottom(path, example_tflite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model.tflite").write_bytes(example_tflite)
    generator = np.random.default_rng(0)
    x = generator.normal(0, 1, (1024, 64)).astype("float32")
    names = {"x": x, "y": generator.integers(0, 10, 1024), "x_test": x[:100]}
    for block in blocks(path):
        exec(compile(block, path.name, "exec"), names)


def test_every_page_of_a_technique_has_an_example():
    without = {path.name for path in PAGES if not blocks(path)}
    assert without <= {"index.md", "troubleshooting.md", "migration.md"}


def test_the_reference_has_every_public_name(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    found = importlib.import_module("reference_pages").pages()
    names = {name for entries in found.values() for name, _ in entries}
    for short, package in (("ks", ks), ("te", te)):
        for name in package.__all__:
            if not isinstance(getattr(package, name), types.ModuleType):
                assert f"{short}.{name}" in names
    for module in ("channels", "pruning", "distillation", "clustering", "zoo"):
        for name in getattr(ks, module).__all__:
            assert {f"ks.{module}.{name}", f"ks.{name}"} & names
    assert {"ks.pruning.Surgery", "ks.schedules.cosine", "ks.search.spaces.mlp"} <= names


def commands(path):
    """Yields each `keras-shrink VERB ...` line of a page as a list of words."""
    for line in path.read_text(encoding="utf-8").splitlines():
        for found in re.findall(r"(?:^|[ `$(])keras-shrink ([a-z][^`|#()]*)", line):
            yield found.split()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_exists_with_its_options(path):
    verbs = typer.main.get_command(app).commands
    for verb, *words in commands(path):
        assert verb in verbs, verb
        known = {option for parameter in verbs[verb].params for option in parameter.opts}
        known |= {option for parameter in verbs[verb].params for option in parameter.secondary_opts}
        assert {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= known, (verb, words)
