import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.quantization.fake_quant import SymmetricWeights
from tests.keras_shrink.networks import mobile_network, pictures, residual_network, shake_normalization
from tflite_export import affine, tflm
from tflite_export.read import read

LINEAR = {
    "conv1d": ((8, 3), layers.Conv1D(4, 3)),
    "conv2d": ((6, 6, 4), layers.Conv2D(4, 3, groups=2, use_bias=False)),
    "depthwise1d": ((8, 3), layers.DepthwiseConv1D(3, depth_multiplier=2)),
    "depthwise2d": ((6, 6, 3), layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)),
    "transpose1d": ((8, 3), layers.Conv1DTranspose(4, 3)),
    "transpose2d": ((6, 6, 3), layers.Conv2DTranspose(4, 3, use_bias=False)),
    "separable1d": ((8, 3), layers.SeparableConv1D(4, 3)),
    "separable2d": ((6, 6, 3), layers.SeparableConv2D(4, 3, use_bias=False)),
    "dense": ((5,), layers.Dense(4)),
}


def behind(shape, layer, **norm):
    layer = layer.__class__.from_config(layer.get_config())
    model = keras.Sequential([keras.Input(shape), layer, layers.BatchNormalization(name="norm", **norm)])
    generator = np.random.default_rng(0)
    model.layers[-1].set_weights(
        [generator.uniform(0.5, 2, weight.shape) for weight in model.layers[-1].weights]
    )
    return model


@pytest.mark.parametrize("kind", LINEAR)
def test_folding_changes_no_output(kind):
    shape, layer = LINEAR[kind]
    model = behind(shape, layer)
    x = pictures(8, shape=shape)
    folded = ks.fold_normalization(model)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in folded.layers)
    np.testing.assert_allclose(folded(x), model(x), atol=2e-5)


@pytest.mark.parametrize("norm", [{"center": False}, {"scale": False}, {"epsilon": 0.5}])
def test_every_form_of_normalization_folds(norm):
    model = behind(*LINEAR["dense"], **norm)
    x = pictures(8, shape=(5,))
    np.testing.assert_allclose(ks.fold_normalization(model)(x), model(x), atol=2e-5)


def test_names_survive_and_the_given_model_is_not_touched():
    model = residual_network()
    before = [weight.copy() for weight in model.get_weights()]
    folded = ks.fold_normalization(model)
    assert [layer.name for layer in folded.layers] == [layer.name for layer in model.layers]
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_what_cannot_be_folded_stays():
    inputs = keras.Input((6, 6, 3))
    shared = layers.Conv2D(3, 1, name="shared")
    x = layers.BatchNormalization(name="first")(inputs)
    x = layers.BatchNormalization(name="of_shared")(shared(shared(x)))
    x = layers.Conv2D(3, 1, activation="relu", name="active")(x)
    x = layers.BatchNormalization(name="behind_relu")(x)
    y = layers.Conv2D(3, 1, name="read_twice")(x)
    outputs = layers.Add()([layers.BatchNormalization(name="one_of_two")(y), y])
    model = keras.Model(inputs, outputs)
    shake_normalization(model)
    folded = ks.fold_normalization(model)
    kept = [layer.name for layer in folded.layers if isinstance(layer, layers.BatchNormalization)]
    assert kept == ["first", "of_shared", "behind_relu", "one_of_two"]
    np.testing.assert_allclose(
        folded(pictures(4, shape=(6, 6, 3))), model(pictures(4, shape=(6, 6, 3))), atol=1e-5
    )


def test_a_folded_model_survives_saving(tmp_path):
    folded = ks.fold_normalization(residual_network())
    folded.save(tmp_path / "folded.keras")
    loaded = keras.models.load_model(tmp_path / "folded.keras")
    np.testing.assert_array_equal(
        loaded.predict(pictures(4), verbose=0), folded.predict(pictures(4), verbose=0)
    )


def test_one_scale_for_a_whole_weight_needs_folded_normalization():
    with pytest.raises(ValueError, match=r"behind stem, depthwise. Fold it first: .*fold_norm"):
        ks.quantize(mobile_network(), ks.Int8(per_channel=False))


def test_one_scale_for_a_whole_weight_reaches_the_device():
    x = pictures(64)
    config = ks.Int8(per_channel=False)
    quantized = ks.calibrate(ks.fold_normalization(mobile_network()), x, config)
    graph = read(te.convert(quantized))
    stored = [tensor for tensor in graph.main.tensors if tensor.dtype == "int8"]
    kernels = [tensor for tensor in stored if tensor.data is not None]
    assert len(kernels) == 4
    assert all(len(kernel.quantization.scale) == 1 for kernel in kernels)
    for kernel, name in zip(kernels, ("stem", "depthwise", "pointwise", "scores"), strict=True):
        trained = quantized.get_layer(name).transformed("kernel").numpy()
        exported = kernel.data.astype("float64") * kernel.quantization.scale[0]
        np.testing.assert_allclose(np.sort(exported.ravel()), np.sort(trained.ravel()), atol=1e-6)
    on_device = tflm.run(graph, affine.quantize_array(x[:16], graph.inputs[0])[:, None])[0]
    out = graph.outputs[0].quantization
    promised = np.round(quantized.predict(x[:16], verbose=0) / out.scale[0]) + out.zero_point[0]
    assert np.abs(promised - on_device.reshape(16, -1)).max() <= 2


def test_one_scale_rounds_alike_in_training_and_inference():
    weight = np.random.default_rng(0).normal(0, 1, (3, 3, 4, 5)).astype("float32")
    rounding = SymmetricWeights(None)
    trained, used = rounding(weight, training=True).numpy(), rounding(weight, training=False).numpy()
    np.testing.assert_allclose(trained, used, atol=1e-6)
    levels = used / (np.abs(weight).max() / 127)
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
