import json

import numpy as np
import pytest
from typer.testing import CliRunner

from keras_shrink.cli import app
from tests.tflite_export.emulation.test_profile import dense
from tflite_export import tflm


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense())
    return str(path)


def profile(*arguments):
    return CliRunner().invoke(app, ["profile", *arguments])


def test_the_table_is_printed(model):
    result = profile(model, "--cpu", "cortex-m3")
    assert result.exit_code == 0, result.output
    assert "FULLY_CONNECTED" in result.output
    assert "cortex-m3, zig -Os" in result.output
    assert "outputs equal TensorFlow Lite Micro's on 3 samples" in result.output


def test_json_holds_every_figure(model):
    result = profile(model, "--json")
    fields = json.loads(result.output)
    assert fields["matches"] is True
    assert fields["flash_bytes"] == fields["code_bytes"] + fields["constant_bytes"]
    assert [op["code"] for op in fields["operators"]] == ["FULLY_CONNECTED"]


def test_a_wrong_output_is_a_failed_check(model, monkeypatch):
    correct = tflm.run
    monkeypatch.setattr(tflm, "run", lambda *a: [np.bitwise_xor(y, 1) for y in correct(*a)])
    assert profile(model).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.tflite"], "There is no file or folder nowhere.tflite"),
        (["{model}", "--cpu", "z80"], "cpu must be"),
    ],
)
def test_bad_input_is_named(model, arguments, message):
    result = profile(*(a.format(model=model) for a in arguments))
    assert message in str(result.exception)
