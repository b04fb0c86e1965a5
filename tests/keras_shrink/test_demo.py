import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tflite_export as te
from keras_shrink.cli import main

ROOT = Path(__file__).parent.parent.parent


def run(folder, *arguments):
    """Runs the demo as a user does, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    command = [sys.executable, "-m", "keras_shrink", "demo", "-o", str(folder), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, cwd=folder.parent
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "out"
    done = run(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done


def row(printed, name):
    line = next(line for line in printed.splitlines() if line.strip().startswith(name))
    return re.split(r"\s{2,}", line.strip())


@pytest.mark.slow
def test_it_is_quiet_and_ends_verified(demo):
    _, done = demo
    assert done.stderr == ""
    assert "verified: TFLM computes what training promised" in done.stdout


@pytest.mark.slow
def test_int8_is_as_good_as_float_and_a_quarter_of_the_weights_is_left(demo):
    _, done = demo
    accuracy = {
        name: float(row(done.stdout, name)[1][:-1])
        for name in ("float", "pruned", "int8 calibrated", "int8 trained")
    }
    assert accuracy["float"] > 96
    assert accuracy["int8 trained"] >= accuracy["float"] - 2
    assert abs(accuracy["int8 calibrated"] - accuracy["pruned"]) <= 1
    assert row(done.stdout, "int8 trained")[2] == "75.0%"


@pytest.mark.slow
def test_the_files_are_there_and_hold_what_the_table_says(demo):
    folder, done = demo
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.c",
        "model.h",
        "model.tflite",
        "report.html",
    ]
    graph = te.read(folder / "model.tflite")
    assert f"{len(graph.content):,}" == row(done.stdout, "int8 trained")[3]
    assert {tensor.dtype for tensor in graph.main.tensors} <= {"int8", "int32"}
    weights = [t.data for t in graph.main.tensors if t.data is not None and t.data.ndim > 1]
    zeros = sum(np.count_nonzero(w == 0) for w in weights) / sum(w.size for w in weights)
    assert f"{zeros:.1%}" == "75.0%"
    assert "int8 trained" in (folder / "report.html").read_text()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_file(demo, tmp_path):
    folder, _ = demo
    assert run(tmp_path / "again").returncode == 0
    assert (tmp_path / "again" / "model.tflite").read_bytes() == (folder / "model.tflite").read_bytes()


def refusal(folder, monkeypatch, capsys):
    """Returns what the command says, in this process, where it ends with 2 before it trains."""
    monkeypatch.setenv("KERAS_SHRINK_DEBUG", "")
    # What silences native code replaces file descriptor 2, which pytest owns here.
    monkeypatch.setattr("keras_shrink.quiet.silence_native_output", lambda: None)
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("trained"))
    monkeypatch.setattr("sys.argv", ["keras-shrink", "demo", "-o", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    assert "error: Cannot write into the folder" in refusal(tmp_path / "file", monkeypatch, capsys)


def test_without_scikit_learn_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    said = refusal(tmp_path / "out", monkeypatch, capsys)
    assert "pip install 'keras-shrink[demo]'" in " ".join(said.split())
