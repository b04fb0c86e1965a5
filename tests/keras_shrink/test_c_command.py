import numpy as np
from typer.testing import CliRunner

from keras_shrink.cli import app
from tests.tflite_export.c.properties import four_bit_product
from tests.tflite_export.small_models import dense_model, pack


def test_c_writes_the_files_and_says_what_they_take(tmp_path):
    path = tmp_path / "my-model.tflite"
    path.write_bytes(pack(dense_model()))
    done = CliRunner().invoke(app, ["c", str(path), "--output", str(tmp_path / "out"), "--no-self-test"])
    assert done.exit_code == 0, done.output
    assert "arena" in done.output
    assert "void my_model_invoke(void);" in (tmp_path / "out" / "my_model.h").read_text()


def test_an_arena_that_may_grow_keeps_weights_packed(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(four_bit_product(np.random.default_rng(0), 20, 40))

    def written(*options):
        command = ["c", str(path), "--output", str(tmp_path), "--no-self-test", *options]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        return (tmp_path / "net.c").read_text()

    assert "int4" not in written()
    assert "fully_connected_pairs_int4" in written("--arena", "1 KiB")


def test_an_arena_that_is_no_size_is_refused(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(pack(dense_model()))
    done = CliRunner().invoke(app, ["c", str(path), "--output", str(tmp_path / "out"), "--arena", "much"])
    assert "Received: arena='much'" in str(done.exception)
    assert not (tmp_path / "out").exists()
