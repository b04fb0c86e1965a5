import json

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from tests.keras_shrink.networks import pictures
from tflite_export.load import load_keras

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


def model():
    return keras.Sequential([keras.Input((6, 6, 2)), layers.DepthwiseConv2D(3, name="dw"), layers.Flatten()])


def test_old_files_with_groups_load(tmp_path):
    saved = model()
    saved.save(tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)
    before = (tmp_path / "old.h5").read_bytes()
    loaded = load_keras(tmp_path / "old.h5")
    x = pictures(3, shape=(6, 6, 2))
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), saved.predict(x, verbose=0))
    assert type(loaded.get_layer("dw")) is layers.DepthwiseConv2D
    assert (tmp_path / "old.h5").read_bytes() == before


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_new_files_load(name, tmp_path):
    saved = model()
    saved.save(tmp_path / name)
    x = pictures(3, shape=(6, 6, 2))
    np.testing.assert_array_equal(
        load_keras(tmp_path / name).predict(x, verbose=0), saved.predict(x, verbose=0)
    )


def test_weights_alone_are_refused(tmp_path):
    model().save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(ValueError, match="cannot be loaded as a Keras model: it holds weights only"):
        load_keras(tmp_path / "model.weights.h5")


@pytest.mark.parametrize("name", ["junk.h5", "junk.keras", "junk.txt"])
def test_what_is_no_model_is_refused(name, tmp_path):
    (tmp_path / name).write_text("junk")
    with pytest.raises(ValueError, match="cannot be loaded as a Keras model"):
        load_keras(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_keras(tmp_path / "none.h5")
