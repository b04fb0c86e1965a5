"""`keras-shrink search` on files."""

import numpy as np
import pytest
from typer.testing import CliRunner

from keras_shrink.cli import app
from keras_shrink.search_command import load_space, load_split

SPACE = """
import keras

def tiny(choices):
    units = choices.int("units", 4, 8)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units), keras.layers.Dense(2, "softmax")])
"""


@pytest.fixture
def data(tmp_path):
    x = np.random.default_rng(0).normal(size=(100, 4))
    np.savez(tmp_path / "data.npz", x=x, y=(x[:, 0] > 0).astype(int))
    return tmp_path / "data.npz"


def test_a_search_from_files_writes_the_best_model(data, tmp_path):
    (tmp_path / "space.py").write_text(SPACE)
    arguments = ["search", f"{tmp_path}/space.py:tiny", "--data", str(data), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--trials", "2", "--epochs", "1", "--macs", "1k"])
    assert result.exit_code == 0, result.output
    assert "2 candidates trained" in result.output
    assert (tmp_path / "out" / "best.tflite").stat().st_size > 500
    assert (tmp_path / "out" / "best.keras").exists()


def test_every_fifth_sample_is_held_out_where_nothing_else_is(data):
    (x, y), (x_val, y_val) = load_split(data)
    assert len(x) == len(y) == 80
    assert len(x_val) == len(y_val) == 20
    assert x.dtype == np.float32


def test_validation_data_is_taken_where_it_is_there(tmp_path):
    train = {"x_train": np.zeros((5, 1)), "y_train": np.zeros(5)}
    np.savez(tmp_path / "d.npz", **train, x_val=np.ones((2, 1)), y_val=[1, 1])
    train, validation = load_split(tmp_path / "d.npz")
    assert len(train[0]) == 5
    assert validation[0].tolist() == [[1], [1]]


def test_ready_made_spaces_fit_the_data():
    space = load_space("mlp", (np.zeros((3, 7), "float32"), np.array([0, 4, 2])))

    class First:
        def int(self, name, low, high, *, step=1):
            return low

    assert space(First()).shapes == [(7,), (5,)]


def test_what_is_missing_is_named(tmp_path, data):
    with pytest.raises(FileNotFoundError, match="There is no such file"):
        load_split(tmp_path / "none.npz")
    np.savez(tmp_path / "a.npz", inputs=np.zeros(3))
    with pytest.raises(ValueError, match=r"must hold x_train and y_train.*Received: \['inputs'\]"):
        load_split(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"one of cnn_1d, .*or FILE.py:FUNCTION.*Received: 'vgg'"):
        load_space("vgg", load_split(data)[0])
    (tmp_path / "space.py").write_text(SPACE)
    with pytest.raises(ValueError, match="has no function 'huge'"):
        load_space(f"{tmp_path}/space.py:huge", load_split(data)[0])
