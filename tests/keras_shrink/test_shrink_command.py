"""`keras-shrink shrink` on files."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import tflite_export as te
from keras_shrink import shrink_command
from keras_shrink.cli import app

RECIPE = """
[training]
epochs = 1

[[steps]]
technique = "int4"
share = 1.0
max_accuracy_drop = 1.0
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    x = np.random.default_rng(0).normal(size=(200, 12))
    np.savez(folder / "data.npz", x=x, y=(x[:, 0] > 0).astype(int))
    keras.utils.set_random_seed(0)
    layers = [keras.Input((12,)), keras.layers.Dense(24, "relu"), keras.layers.Dense(2, "softmax")]
    keras.Sequential(layers).save(folder / "model.keras")
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


def call(files, output, *options):
    arguments = [str(files / "model.keras"), "--data", str(files / "data.npz"), "-o", str(output), *options]
    return CliRunner().invoke(app, ["shrink", *arguments])


def test_a_budget_that_is_met_ends_with_0_and_everything_to_flash(files, tmp_path):
    recipe = ["--recipe", str(files / "recipe.toml"), "--max-accuracy-drop", "1"]
    result = call(files, tmp_path, "--device", "rp2040", "--runtime", "tflm", *recipe)
    assert result.exit_code == 0, result.output
    assert "The budget is met (flash 2,067,152, ram 258,336" in result.output
    assert "int4" in (tmp_path / "steps.txt").read_text()
    weights = [
        t.dtype
        for t in te.read(tmp_path / "model.tflite").main.tensors
        if len(t.shape) == 2 and t.is_constant
    ]
    assert weights == ["int4", "int4"]
    assert keras.saving.load_model(tmp_path / "model.keras", compile=False).count_params() > 300
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["model.c", "model.h"]
    assert "int4" in (tmp_path / "report.html").read_text()
    lines = (tmp_path / "steps" / "steps.jsonl").read_text().splitlines()
    assert [json.loads(line).get("name") for line in lines] == [None, "start", "int4"]


def test_a_budget_that_is_not_met_ends_with_1_and_an_interruption_with_130(files, tmp_path, monkeypatch):
    for reason, status in (("flash is too large", 1), ("interrupted", 130), ("", 0)):
        monkeypatch.setattr(shrink_command, "shrink_file", lambda *_, reason=reason: reason)
        assert call(files, tmp_path, "--flash", "1k").exit_code == status


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Nothing is limited. Give one of flash"),
        (("--flash", "1 foot"), "flash must be a number greater than 0"),
        (("--flash", "1k", "--device", "rp204"), "Did you mean 'rp2040'"),
        (("--flash", "1k", "--recipe", "none.toml"), "There is no such file. Received: 'none.toml'"),
    ],
)
def test_bad_input_is_one_message(files, tmp_path, options, message):
    result = call(files, tmp_path, *options)
    assert message in str(result.exception)


def test_bad_input_ends_with_2_and_without_a_traceback(tmp_path):
    missing = ["none.keras", "--data", str(tmp_path / "none.npz"), "--flash", "1k"]
    command = [sys.executable, "-m", "keras_shrink", "shrink", *missing]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: There is no such file. Received: {str(tmp_path / 'none.npz')!r}.\n"
