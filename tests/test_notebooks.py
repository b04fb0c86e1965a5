"""Every notebook runs from top to bottom, and what is kept in the file is the whole of such a run."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def run():
    spec = importlib.util.spec_from_file_location("run_notebooks", ROOT / "notebooks" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run


def test_there_are_notebooks():
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)


@pytest.mark.slow
@every_notebook
def test_it_runs_in_reduced_mode(path, run, tmp_path):
    notebook = run(path, tmp_path, quick=True, timeout=600)  # a cell that fails raises
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == [*range(1, len(counts) + 1)]


@every_notebook
def test_it_opens_in_colab_and_installs_only_where_the_package_is_missing(path):
    first, second = nbformat.read(path, as_version=4).cells[:2]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert "colab.research.google.com" in first.source
    assert second.cell_type == "code"
    assert 'find_spec("keras_shrink") is None' in second.source
    assert re.search(r"^    %pip install .*keras-shrink", second.source, flags=re.M)


@every_notebook
def test_it_has_a_reduced_mode(path):
    assert any('"KERAS_SHRINK_QUICK"' in cell.source for cell in code(path))


@every_notebook
def test_outputs_of_one_whole_run_are_kept(path):
    cells = code(path)
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert cells[-1].outputs
    assert any("image/png" in output.get("data", {}) for output in outputs)


@every_notebook
def test_nothing_kept_names_the_machine_it_ran_on(path):
    text = path.read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert str(Path.home()) + "/" not in text
    assert "Warning" not in text
    assert path.stat().st_size < 600_000
