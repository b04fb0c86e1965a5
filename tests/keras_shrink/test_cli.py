import importlib.metadata

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink import cli
from tests.keras_shrink.networks import pictures


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process; returns exit status, standard output, standard error."""
    # What silences native code replaces file descriptor 2, which pytest owns here.
    monkeypatch.setenv("KERAS_SHRINK_DEBUG", "")
    monkeypatch.setattr("keras_shrink.quiet.silence_native_output", lambda: None)

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["keras-shrink", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        printed = capsys.readouterr()
        return left.value.code or 0, printed.out, printed.err

    return call


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6,), name="x"), layers.Dense(8, activation="relu"), layers.Dense(3)]
    )
    model.save(folder / "float.keras")
    x = pictures(64, shape=(6,))
    np.save(folder / "x.npy", x)
    np.savez(folder / "many.npz", a=x, b=x[:, :3])
    np.save(folder / "nan.npy", np.full((4, 6), np.nan))
    qat = ks.calibrate(model, x)
    qat.save(folder / "qat.keras")
    te.convert(qat).save(folder / "qat.tflite")
    (folder / "junk.tflite").write_bytes(b"junk" * 10)
    return folder


def test_convert_writes_a_float_model_as_int8(run, files, tmp_path):
    target = tmp_path / "model.tflite"
    status, out, _ = run("convert", files / "float.keras", "--representative", files / "x.npy", "-o", target)
    assert status == 0
    assert f"({target.stat().st_size:,} bytes)" in out
    assert "input x: int8 (1, 6), scale " in out
    assert te.read(target).inputs[0].dtype == "int8"


@pytest.mark.parametrize(
    ("dtype", "inside", "line"),
    [
        ("int16x8", "int16", "input x: int16 (1, 6), scale "),
        ("float16", "float16", ": float32 (1, 3)\n"),
    ],
)
def test_convert_writes_the_kind_of_file_asked_for(run, files, tmp_path, dtype, inside, line):
    data = ["--representative", files / "x.npy"] if dtype == "int16x8" else []
    target = tmp_path / "model.tflite"
    status, out, _ = run("convert", files / "float.keras", *data, "-o", target, "--dtype", dtype)
    assert status == 0
    assert line in out
    assert inside in {tensor.dtype for tensor in te.read(target).main.tensors}


def test_convert_writes_the_kind_of_file_that_the_model_was_quantized_for(run, files, tmp_path):
    model = keras.saving.load_model(files / "float.keras")
    ks.calibrate(model, pictures(64, shape=(6,)), ks.Int8(weight_bits=4)).save(tmp_path / "q.keras")
    assert run("convert", tmp_path / "q.keras", "-o", tmp_path / "q.tflite")[0] == 0
    assert "int4" in {tensor.dtype for tensor in te.read(tmp_path / "q.tflite").main.tensors}


def test_convert_writes_a_c_array_beside(run, files, tmp_path):
    status, _, _ = run("convert", files / "qat.keras", "-o", tmp_path / "m.tflite", "--c-array", "net")
    assert status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.tflite", "net.c", "net.h"]


def test_convert_takes_a_named_array(run, files, tmp_path):
    status, _, err = run(
        "convert",
        files / "float.keras",
        "--representative",
        f"{files / 'many.npz'}:a",
        "-o",
        tmp_path / "m.tflite",
    )
    assert (status, err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["float.keras"], "error: A float model needs representative_data"),
        (["float.keras", "--representative", "nan.npy"], "24 NaN or infinite"),
        (["float.keras", "--representative", "many.npz"], "Say which"),
        (["float.keras", "--representative", "many.npz:b"], "must have shape (None, 6)"),
        (["float.keras", "--representative", "missing.npy"], "There is no such file"),
        (["float.keras", "--representative", "float.keras"], "is not a .npy or .npz file"),
        (["qat.keras", "--representative", "x.npy"], "brings its own ranges"),
        (["qat.keras", "--c-array", "2nd"], "must be a C identifier"),
        (["missing.keras"], "There is no such file"),
        (["x.npy"], "cannot be loaded as a Keras model"),
    ],
)
def test_bad_input_to_convert_is_one_message_and_status_2(
    run, files, tmp_path, arguments, message, monkeypatch
):
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    status, _, err = run("convert", *arguments, "-o", tmp_path / "out" / "m.tflite")
    assert status == 2
    assert message in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert sorted(files.iterdir()) == before


def test_an_output_folder_that_cannot_be_written_is_status_2(run, files, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, err = run("convert", files / "qat.keras", "-o", tmp_path / "file" / "m.tflite")
    assert status == 2
    assert "Cannot write into the folder" in err


def test_verify_agrees_with_the_model(run, files):
    status, out, _ = run(
        "verify", files / "qat.tflite", "--samples", files / "x.npy", "--model", files / "qat.keras"
    )
    assert status == 0
    assert "64 given samples" in out
    assert "Keras model" in out
    assert out.strip().endswith("ok")


def test_verify_takes_random_samples_where_none_are_given(run, files):
    status, out, _ = run("verify", files / "qat.tflite")
    assert status == 0
    assert "200 random samples" in out


def test_verify_fails_beyond_the_tolerance(run, files, tmp_path):
    keras.utils.set_random_seed(9)
    other = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(3)])
    other.save(tmp_path / "other.keras")
    arguments = [
        "verify",
        files / "qat.tflite",
        "--samples",
        files / "x.npy",
        "--model",
        tmp_path / "other.keras",
    ]
    status, out, _ = run(*arguments)
    assert status == 1
    assert "differs from the Keras model by more than 2.0 steps" in out
    assert run(*arguments, "--tolerance", "255")[0] == 0


def test_verify_fails_where_tflm_refuses_the_file(run, files, monkeypatch):
    from tflite_export import tflm

    def refuse(*_, **__):
        raise te.ModelError("TFLM refuses the model: Didn't find op for builtin opcode 'SIN'")

    monkeypatch.setattr(tflm, "run", refuse)
    status, out, _ = run("verify", files / "qat.tflite")
    assert status == 1
    assert "failed: TFLM refuses the model" in out


@pytest.mark.parametrize("name", ["junk.tflite", "x.npy", "missing.tflite"])
def test_what_is_no_tflite_is_status_2(run, files, name):
    status, _, err = run("verify", files / name)
    assert status == 2
    assert err.startswith("error: ")


def test_a_truncated_tflite_is_status_2(run, files, tmp_path):
    content = (files / "qat.tflite").read_bytes()
    (tmp_path / "half.tflite").write_bytes(content[: len(content) // 2])
    status, _, err = run("verify", tmp_path / "half.tflite")
    assert status == 2
    assert "error: " in err


def test_the_version_of_the_installed_package(run, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.2.3" if name == "keras-shrink" else "")
    assert run("--version") == (0, "keras-shrink 1.2.3\n", "")


def test_without_installation_there_is_no_version(run, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    status, _, said = run("--version")
    assert status == 2
    assert "pip install" in said
