from typer.testing import CliRunner

from keras_shrink.cli import app
from tests.tflite_export.small_models import dense_model, pack


def test_c_writes_the_files_and_says_what_they_take(tmp_path):
    path = tmp_path / "my-model.tflite"
    path.write_bytes(pack(dense_model()))
    done = CliRunner().invoke(app, ["c", str(path), "--output", str(tmp_path / "out"), "--no-self-test"])
    assert done.exit_code == 0, done.output
    assert "arena" in done.output
    assert "void my_model_invoke(void);" in (tmp_path / "out" / "my_model.h").read_text()
