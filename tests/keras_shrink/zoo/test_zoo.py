"""The networks of the zoo."""

import keras
import numpy as np
import pytest

import tflite_export as te
from keras_shrink import zoo

# Parameters of the Keras models and multiply-accumulates of the .tflite files that MLPerf Tiny publishes.
REFERENCES = {
    "resnet8": (78_666, 12_501_632),
    "ds_cnn": (24_908, 2_656_768),
    "mobilenet_v1": (221_794, 7_489_664),
    "fc_autoencoder": (269_992, 264_192),
}
SMALL = {
    "resnet8": {"input_shape": (8, 8, 3), "classes": 3, "width": 0.5},
    "ds_cnn": {"size": "M", "input_shape": (16, 10, 1), "classes": 3, "width": 0.1},
    "mobilenet_v1": {"input_shape": (32, 32, 3), "classes": 3, "width": 0.1},
    "mobilenet_v2": {"input_shape": (32, 32, 3), "classes": 3, "width": 0.1},
    "mobilenet_v3_small": {"input_shape": (32, 32, 3), "classes": 3, "width": 0.1},
    "efficientnet_lite0": {"input_shape": (32, 32, 3), "classes": 3, "width": 0.1, "depth": 0.3},
    "fc_autoencoder": {"features": 16, "width": 0.1},
    "tiny_transformer": {"input_shape": (8, 4), "classes": 3, "width": 0.5, "depth": 0.5},
}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_defaults_are_the_networks_of_mlperf_tiny(name):
    model = getattr(zoo, name)()
    facts = te.summary(te.convert(model, dtype="float32"), measure=False)
    assert (model.count_params(), facts.macs) == REFERENCES[name]


@pytest.mark.parametrize(
    ("ours", "theirs", "settings"),
    [
        (zoo.mobilenet_v2, "MobileNetV2", {"alpha": 0.35}),
        (zoo.mobilenet_v3_small, "MobileNetV3Small", {"include_preprocessing": False}),
    ],
)
def test_larger_networks_have_the_parameters_of_the_keras_applications(ours, theirs, settings):
    make = getattr(keras.applications, theirs)
    peer = make((96, 96, 3), weights=None, classes=10, **settings)
    assert ours((96, 96, 3), 10).count_params() == peer.count_params()


def test_efficientnet_lite0_has_its_published_trainable_parameters():
    weights = zoo.efficientnet_lite0().trainable_weights
    assert sum(np.prod(weight.shape) for weight in weights) == 4_652_008


@pytest.mark.parametrize("name", zoo.__all__)
def test_a_narrow_network_computes_and_survives_a_file(name, tmp_path):
    model = getattr(zoo, name)(**SMALL[name])
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype("float32")
    outputs = keras.ops.convert_to_numpy(model(x))
    assert np.isfinite(outputs).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), outputs)


@pytest.mark.parametrize("name", zoo.__all__)
def test_depth_adds_layers_and_width_parameters(name):
    plain = getattr(zoo, name)(**{**SMALL[name], "width": 0.1, "depth": 1.0})
    deeper = getattr(zoo, name)(**{**SMALL[name], "width": 0.25, "depth": 1.1})
    assert len(deeper.layers) > len(plain.layers)
    assert deeper.count_params() > plain.count_params()


def test_an_unknown_size_names_those_that_exist():
    with pytest.raises(ValueError, match=r"size must be one of S, M, L\. Received: size='XL'"):
        zoo.ds_cnn("XL")


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match="heads must divide the 32 channels. Received: heads=3"):
        zoo.tiny_transformer(heads=3)
