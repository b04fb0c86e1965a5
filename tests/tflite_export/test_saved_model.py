import keras
import numpy as np
import pytest

from tflite_export import tflm
from tflite_export.convert import convert
from tflite_export.saved_model import is_saved_model, load_saved_model


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="picture"),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(40, activation="relu"),
            keras.layers.Dense(3, name="scores"),
        ]
    )


@pytest.fixture(scope="module")
def data():
    return np.random.default_rng(0).uniform(-1, 1, (32, 8, 8, 1)).astype(np.float32)


def test_saved_model_folder_converts_like_the_model_in_it(tmp_path, model, data):
    model.export(tmp_path / "saved", verbose=False)
    assert is_saved_model(tmp_path / "saved")
    assert not is_saved_model(tmp_path)
    tflite = convert(str(tmp_path / "saved"), data)
    assert list(tflite.inputs) == ["picture"]
    assert tflite.inputs["picture"].shape == (1, 8, 8, 1)
    direct = convert(model, data)
    codes = [[op.code for op in t.graph.main.ops] for t in (tflite, direct)]
    assert codes[0] == codes[1]
    x = np.random.default_rng(1).integers(-128, 128, (4, 1, 8, 8, 1), np.int8)
    np.testing.assert_array_equal(tflm.run(tflite, x), tflm.run(direct, x))


def test_folder_without_signature_is_refused(tmp_path):
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(ValueError, match=r"needs a signature 'serving_default'. Received: signatures \[\]"):
        load_saved_model(tmp_path)


def test_int16x8_has_wide_biases_and_runs_on_tflm(model, data):
    tflite = convert(model, data, dtype="int16x8")
    kinds = {t.dtype for t in tflite.graph.main.tensors}
    assert tflite.inputs["picture"].dtype == tflite.outputs["scores"].dtype == "int16"
    assert "int64" in kinds
    assert not any(kind.startswith("float") for kind in kinds)
    scale_in = tflite.inputs["picture"].quantization.scale[0]
    scale_out = tflite.outputs["scores"].quantization.scale[0]
    x = np.round(data[:4] / scale_in).astype(np.int16)
    (y,) = tflm.run(tflite, x)
    wide = np.abs(model.predict(data[:4], verbose=0)).max()
    np.testing.assert_allclose(y[:, 0] * scale_out, model.predict(data[:4], verbose=0), atol=0.01 * wide)


@pytest.mark.parametrize(("dtype", "weight"), [("float16", "float16"), ("dynamic_range", "int8")])
def test_weights_of_fewer_bits_in_a_float_model(data, dtype, weight):
    # The converter leaves weights of fewer than 1,024 elements alone.
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, name="scores")])
    tflite = convert(model, dtype=dtype)
    assert tflite.inputs[model.inputs[0].name].dtype == "float32"
    assert weight in {t.dtype for t in tflite.graph.main.tensors if t.is_constant}


def test_what_does_not_go_together_is_refused(model, data):
    with pytest.raises(ValueError, match="Only int8, int8x4 and int16x8 need representative_data"):
        convert(model, data, dtype="float16")
    with pytest.raises(ValueError, match="dtype must be one of"):
        convert(model, data, dtype="int3")
