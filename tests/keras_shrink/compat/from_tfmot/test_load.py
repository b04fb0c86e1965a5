"""Models that tfmot saved, against what tfmot computed with them; `fixtures/make.py` made both."""

import gzip
import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import tflite_export as te
from keras_shrink.compat import load_tfmot
from tflite_export.read import read

FIXTURES = Path(__file__).parent.parent / "fixtures"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text(encoding="utf-8"))
QUANTIZED = [name for name in EXPECTED if "quantized" in name]


@pytest.fixture
def unpacked(tmp_path):
    def unpack(name):
        path = tmp_path / name
        path.write_bytes(gzip.decompress((FIXTURES / f"{name}.gz").read_bytes()))
        return path

    return unpack


@pytest.fixture
def loaded(unpacked):
    return lambda name: load_tfmot(unpacked(name))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """Models that a test only reads."""
    folder, models = tmp_path_factory.mktemp("saved"), {}

    def model(name):
        if name not in models:
            (folder / name).write_bytes(gzip.decompress((FIXTURES / f"{name}.gz").read_bytes()))
            models[name] = load_tfmot(folder / name)
        return models[name]

    return model


def computed(model):
    x = np.random.default_rng(0).normal(size=(64, *model.input_shape[1:])).astype("float32")[:8]
    return np.asarray(model(x, training=False))


def trained(model):
    x = np.random.default_rng(1).normal(size=(16, *model.input_shape[1:])).astype("float32")
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    model.train_on_batch(x, np.arange(16) % 3)
    return model


@pytest.mark.parametrize("name", ["pruned.h5", "clustered.h5"])
def test_float_models_compute_the_same(untouched, name):
    assert np.abs(computed(untouched(name)) - EXPECTED[name]["outputs"]).max() < 1e-6


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_models_compute_the_same_up_to_the_last_rounding(untouched, name):
    # The output is rounded to steps of 1/256 here, in tfmot's Keras model it is not.
    assert np.abs(computed(untouched(name)) - EXPECTED[name]["outputs"]).max() <= 0.5 / 256 + 1e-6


@pytest.mark.parametrize("name", QUANTIZED)
def test_activations_have_the_scales_of_tensorflows_file(untouched, name):
    graph = read(te.convert(untouched(name))).subgraphs[0]
    made = [graph.tensors[i].quantization for op in graph.ops for i in op.outputs]
    ours = sorted([float(q.scale[0]), int(q.zero_point[0])] for q in made)
    entry = graph.tensors[graph.inputs[0]].quantization
    ours = sorted([*ours, [float(entry.scale[0]), int(entry.zero_point[0])]])
    assert ours == [pytest.approx(pair, rel=1e-6) for pair in EXPECTED[name]["scales"]]


@pytest.mark.parametrize("name", ["pruned.h5", "pruned_quantized.h5"])
def test_zeros_stay_in_training(loaded, name):
    model = trained(loaded(name))
    for layer in ("hidden", "head"):
        found = model.get_layer(layer)
        kernel = found.transformed("kernel") if name.startswith("pruned_q") else found.kernel
        assert np.mean(np.asarray(kernel) == 0) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name", ["clustered.h5", "clustered_quantized.h5"])
def test_clusters_stay_in_training(loaded, name):
    model = trained(loaded(name))
    for layer in ("hidden", "head"):
        found = model.get_layer(layer)
        (weight,) = found.weight_transforms
        assert np.unique(np.asarray(found.transformed(weight))).size <= 4


def test_training_goes_on_with_ranges_that_start_at_zero_behind_a_relu(loaded):
    model = loaded("quantized_mlp.h5")
    (quantizer,) = model.get_layer("hidden").outputs_through
    low, high = quantizer.range()
    assert low < -1.0
    trained(model)
    assert quantizer.range()[0] == 0.0
    assert quantizer.range()[1] == pytest.approx(high, rel=0.1)


def test_a_file_without_wrappers_is_a_plain_model(tmp_path, unpacked):
    path = unpacked("pruned.h5")
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1:] = [
            layer["config"]["layer"] for layer in config["config"]["layers"][1:]
        ]
        file.attrs["model_config"] = json.dumps(config)
        for name in ("hidden", "head"):
            file["model_weights"].move(f"prune_low_magnitude_{name}", name)
    model = load_tfmot(path)
    assert [type(layer) for layer in model.layers] == [keras.layers.Dense] * 2


def changed(path, text, other):
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace(text, other)
    return path


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda path: path.parent, "A SavedModel folder holds no layers"),
        (lambda path: path.parent / "nowhere.h5", "There is no such file"),
        (lambda path: changed(path, '"Dense"', '"Mine"'), "no layer class 'Mine' in Keras 3"),
        (lambda path: changed(path, '"units": 12', '"units": 11'), r"no weight 'kernel' of shape \(8, 11\)"),
    ],
)
def test_what_cannot_be_read_says_why(unpacked, damage, text):
    with pytest.raises(ValueError, match=text):
        load_tfmot(damage(unpacked("pruned.h5")))


def test_other_files_say_what_they_are(tmp_path):
    (tmp_path / "text.h5").write_text("no model")
    with pytest.raises(ValueError, match="neither HDF5 nor .keras"):
        load_tfmot(tmp_path / "text.h5")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "three.keras")
    with pytest.raises(ValueError, match="saved by Keras 3"):
        load_tfmot(tmp_path / "three.keras")
    model.save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(ValueError, match="weights without an architecture"):
        load_tfmot(tmp_path / "only.weights.h5")
