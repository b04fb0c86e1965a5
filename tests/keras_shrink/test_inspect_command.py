import json

from typer.testing import CliRunner

from keras_shrink.cli import app
from tests.tflite_export.small_models import dense_model, pack


def test_inspect_prints_tables_json_and_page(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(pack(dense_model()))
    page = tmp_path / "page.html"
    shown = CliRunner().invoke(app, ["inspect", str(path), "--html", str(page), "--no-measure"])
    assert shown.exit_code == 0
    assert "FULLY_CONNECTED" in shown.output
    assert "<svg" in page.read_text()
    printed = CliRunner().invoke(app, ["inspect", str(path), "--json"])
    assert json.loads(printed.output)["arena"]["required_bytes"] > 0


def test_inspect_says_whether_it_fits_a_board(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(pack(dense_model()))
    shown = CliRunner().invoke(app, ["inspect", str(path), "--device", "arduino-uno-r4"])
    assert shown.exit_code == 0
    assert "Arduino Uno R4 (RA4M1): fits" in shown.output
    table = CliRunner().invoke(app, ["inspect", str(path), "--device", "all"])
    assert table.output.count("fits") >= 10
    facts = CliRunner().invoke(app, ["inspect", str(path), "--device", "rp2040", "--json"])
    assert json.loads(facts.output)["fits"]
