"""What training shows and what the device computes: a step in a layer, the same classes in the end."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.quantization.ranges import ActivationQuantizer
from tests.keras_shrink.networks import residual_network, shake_normalization
from tflite_export.affine import quantize_array
from tflite_export.c import native

CLASSES = 4


def single_layers():
    """A network whose every output is one layer away from its input."""
    x = keras.Input((8, 8, 4), name="x")
    alone = [
        layers.Conv2D(6, 3, activation="relu", name="conv"),
        layers.Conv2D(6, 3, strides=2, padding="same", groups=2, activation="relu6", name="grouped"),
        layers.DepthwiseConv2D(3, dilation_rate=2, depth_multiplier=2, name="depthwise"),
        layers.Conv2DTranspose(3, 3, strides=2, padding="same", name="transposed"),
        layers.Dense(5, activation="relu", name="dense"),
        layers.BatchNormalization(name="normalization"),
        layers.AveragePooling2D(3, 2, padding="same", name="average"),
        layers.GlobalAveragePooling2D(name="global_average"),
        layers.MaxPooling2D(name="max"),
        layers.UpSampling2D(2, name="nearest"),
        layers.UpSampling2D(2, interpolation="bilinear", name="bilinear"),
        layers.ZeroPadding2D(1, name="padding"),
        layers.LeakyReLU(negative_slope=0.2, name="leaky"),
        layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_uniform", name="prelu"),
        layers.Activation("sigmoid", name="sigmoid"),
        layers.Activation("tanh", name="tanh"),
        layers.Activation("softmax", name="softmax"),
        layers.Activation("hard_silu", name="hard_silu"),
        layers.Rescaling(0.4, offset=0.1, name="rescaling"),
    ]
    pairs = [layers.Add(name="add"), layers.Subtract(name="subtract"), layers.Multiply(name="multiply")]
    mirrored = layers.Permute((2, 1, 3), name="permute")(x)
    outputs = {layer.name: layer(x) for layer in alone}
    outputs |= {layer.name: layer([x, mirrored]) for layer in pairs}
    model = keras.Model(x, outputs)
    shake_normalization(model)
    return model


@pytest.fixture(scope="module")
def alone():
    """Name of a layer -> (integers that Keras shows, integers of the device)."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(0, 1, (64, 8, 8, 4)).astype("float32")
    quantized = ks.calibrate(single_layers(), x)
    file = te.convert(quantized)
    shown = quantized.predict(x, verbose=0)
    computed = ks.simulate(quantized, dequantize=False).predict(x, verbose=0)
    assert set(shown) == set(computed) == set(file.outputs)
    return {name: (quantize_array(shown[name], t), computed[name]) for name, t in file.outputs.items()}


@pytest.mark.parametrize("name", sorted(single_layers().output))
def test_a_layer_is_at_most_one_step_away(name, alone):
    shown, computed = (values.astype(int) for values in alone[name])
    steps = np.abs(shown - computed)
    assert steps.max() <= 1
    assert len(np.unique(computed)) > 5


def blobs(shape, seed):
    """Samples around a pattern for each class, and the classes."""
    patterns = np.random.default_rng(0).normal(0, 1, (CLASSES, *shape))
    generator = np.random.default_rng(seed)
    y = generator.integers(0, CLASSES, 512)
    return (patterns[y] + generator.normal(0, 0.3, (512, *shape))).astype("float32"), y


def perceptron():
    return keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(16),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(CLASSES),
        ]
    )


def separable():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(8, 1, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def series():
    return keras.Sequential(
        [
            keras.Input((16, 3)),
            layers.Conv1D(8, 3, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(8, 3, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(CLASSES),
        ]
    )


def residual():
    return residual_network(activation=None)


NETWORKS = (perceptron, separable, series, residual)


@pytest.fixture(scope="module")
def trained():
    """Name of a network -> the network, trained with quantization, and its file."""
    results = {}
    for make in NETWORKS:
        keras.utils.set_random_seed(0)
        model = make()
        x, y = blobs(model.input_shape[1:], seed=1)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=make is not separable)
        quantized = ks.quantize(model)
        quantized.compile(keras.optimizers.Adam(0.01), loss)
        quantized.fit(x, y, epochs=8, verbose=0)
        results[make.__name__] = quantized, te.convert(quantized)
    return results


@pytest.mark.parametrize("name", [make.__name__ for make in NETWORKS])
def test_trained_networks_answer_as_the_device_does(name, trained):
    quantized, file = trained[name]
    x, y = blobs(quantized.input_shape[1:], seed=2)
    source, target = file.graph.inputs[0], file.graph.outputs[0]
    computed = ks.simulate(file, dequantize=False).predict(x, verbose=0)
    (on_c,) = native.run(file, [quantize_array(x, source)])
    np.testing.assert_array_equal(computed, on_c.reshape(computed.shape))
    real = quantized.predict(x, verbose=0)
    steps = np.abs(quantize_array(real, target).astype(int) - computed)
    # In float32 a value now and then falls on the neighbouring step, and the layers behind it see that.
    assert steps.max() <= 3
    assert steps.mean() < 0.5
    assert np.mean(real.argmax(1) == computed.argmax(1)) >= 0.999
    assert np.mean(computed.argmax(1) == y) > 0.95


def nudged(low, high):
    """Scale and zero point of an int8 range whose zero is an integer."""
    scale = (np.float32(high) - np.float32(low)) / np.float32(255)
    return scale, int(np.round(-np.float32(low) / scale)) - 128


def test_every_scale_of_training_is_the_files(trained):
    quantized, file = trained["residual"]
    graph = file.graph
    stored = {
        (t.quantization.scale[0], int(t.quantization.zero_point[0]))
        for t in graph.main.tensors
        if t.dtype == "int8" and t.data is None
    }
    ranges = [
        layer
        for layer in quantized._flatten_layers(include_self=False)
        if isinstance(layer, ActivationQuantizer)
    ]
    for quantizer in ranges:
        scale, zero_point = nudged(*quantizer.range())
        assert any(np.isclose(scale, s, rtol=2e-7, atol=0) and zero_point == z for s, z in stored), (
            quantizer.path
        )
    assert len(stored) == len(ranges)


def test_every_weight_of_training_is_the_files(trained):
    quantized, file = trained["residual"]
    graph = file.graph
    stored = [t for t in graph.main.tensors if t.dtype == "int8" and t.data is not None]
    factors = {"stem": "stem_norm", "depthwise": "depthwise_norm"}
    kernels = {}
    for name in ("stem", "depthwise", "pointwise", "conv", "scores"):
        kernel = quantized.get_layer(name).layer.kernel.numpy()
        if name == "depthwise":
            kernel = kernel[..., 0][..., None, :]
        largest = np.abs(kernel).max(tuple(range(kernel.ndim - 1)))
        scale, sign = largest / 127, 1.0
        if name in factors:
            norm = quantized.get_layer(factors[name])
            norm = getattr(norm, "layer", norm)
            factor = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
            scale, sign = scale * np.abs(factor), np.sign(factor)
        kernels[name] = (np.round(kernel / (largest / 127)) * sign, scale)
    assert len(stored) == len(kernels)
    for name, (integers, scale) in kernels.items():
        (match,) = [
            t
            for t in stored
            if t.quantization.scale.size == scale.size
            and np.allclose(t.quantization.scale, scale, rtol=1e-6, atol=0)
        ]
        axis = match.quantization.axis
        np.testing.assert_array_equal(
            np.moveaxis(match.data, axis, -1).reshape(integers.shape), integers, err_msg=name
        )
