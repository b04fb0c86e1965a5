"""Every layer that quantization knows, through to TFLM and the compiled C."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from tests.keras_shrink.networks import shake_normalization


def chain(shape, *parts):
    inputs = keras.Input(shape, name="x")
    x = inputs
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x)


def branches(join, shape=(8, 8, 4)):
    inputs = keras.Input(shape, name="x")
    a = layers.Conv2D(4, 1, name="a")(inputs)
    b = layers.Conv2D(4, 3, padding="same", activation="relu", name="b")(inputs)
    return keras.Model(inputs, join(a, b))


def squeeze_and_excite(a, b):
    gate = layers.GlobalAveragePooling2D(keepdims=True)(b)
    return layers.Multiply()([a, layers.Conv2D(4, 1, activation="sigmoid")(gate)])


def densely_connected(a, b):
    first = layers.Concatenate()([a, layers.Activation("sigmoid")(b)])
    new = layers.Conv2D(2, 3, padding="same", activation="relu")(first)
    return layers.Conv2D(3, 1)(layers.Concatenate()([first, new]))


def hard_swish_of_operations(a, b):
    return layers.ReLU(6.0)(a + 3.0) * (1 / 6.0) * a - b


PICTURE, SERIES = (8, 8, 4), (16, 3)
NETWORKS = {
    "conv1d": lambda: chain(
        SERIES,
        layers.Conv1D(6, 3, activation="relu"),
        layers.MaxPooling1D(2),
        layers.Conv1D(4, 3, dilation_rate=2),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3),
    ),
    "depthwise1d": lambda: chain(
        SERIES,
        layers.ZeroPadding1D(2),
        layers.DepthwiseConv1D(3, depth_multiplier=2),
        layers.Cropping1D(1),
        layers.UpSampling1D(2),
        layers.AveragePooling1D(2),
        layers.GlobalMaxPooling1D(),
    ),
    "separable1d": lambda: chain(SERIES, layers.SeparableConv1D(6, 3, activation="relu"), layers.Flatten()),
    "separable2d": lambda: chain(
        PICTURE,
        layers.SeparableConv2D(6, 3, strides=2, padding="same"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(3),
    ),
    "convolutions": lambda: chain(
        PICTURE,
        layers.Conv2D(6, 3, dilation_rate=2, padding="same", activation="relu6"),
        layers.Conv2D(4, 3, groups=2),
        layers.DepthwiseConv2D(3, depth_multiplier=3),
    ),
    "transposed": lambda: chain(
        PICTURE,
        layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(4, 2),
        layers.BatchNormalization(),
        layers.ReLU(),
    ),
    "normalization first": lambda: chain(
        PICTURE, layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(4, 3), layers.BatchNormalization()
    ),
    "normalized vector": lambda: chain(
        (6,), layers.BatchNormalization(), layers.Dense(4, activation="relu"), layers.BatchNormalization()
    ),
    "relu6 alone": lambda: chain(PICTURE, layers.MaxPooling2D(), layers.ReLU(6.0), layers.Conv2D(3, 1)),
    "rescaling": lambda: chain(PICTURE, layers.Rescaling(1 / 2, offset=-1.0), layers.Conv2D(4, 3)),
    "leaky": lambda: chain(
        PICTURE,
        layers.Conv2D(4, 3),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(4, 3, activation="leaky_relu"),
        layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_uniform"),
    ),
    "prescribed": lambda: chain(
        PICTURE,
        layers.Conv2D(4, 3, activation="sigmoid"),
        layers.Conv2D(4, 1),
        layers.Activation("tanh"),
        layers.Conv2D(3, 1, activation="softmax"),
    ),
    "silu": lambda: chain(
        PICTURE, layers.Conv2D(4, 3, activation="silu"), layers.Conv2D(4, 3), layers.Activation("swish")
    ),
    "gelu": lambda: chain(
        PICTURE, layers.Conv2D(4, 3), layers.Activation("gelu"), layers.Dense(3, activation="gelu")
    ),
    "hard": lambda: chain(
        PICTURE,
        layers.Conv2D(4, 3, activation="hard_silu"),
        layers.Conv2D(4, 3, activation="hard_sigmoid"),
        layers.Conv2D(4, 1),
        layers.Activation("hard_sigmoid"),
    ),
    "subtract": lambda: branches(lambda a, b: layers.Subtract()([a, b])),
    "multiply": lambda: branches(squeeze_and_excite),
    "average": lambda: branches(lambda a, b: layers.Average()([a, b])),
    "add of three": lambda: branches(lambda a, b: layers.ReLU()(layers.Add()([a, b, a]))),
    "maximum": lambda: branches(lambda a, b: layers.Maximum()([a, b])),
    "minimum": lambda: branches(lambda a, b: layers.Minimum()([a, b])),
    "concatenate": lambda: branches(
        lambda a, b: layers.Concatenate()([a, layers.MaxPooling2D(3, 1, padding="same")(b)])
    ),
    "densely connected": lambda: branches(densely_connected),
    "operations": lambda: branches(hard_swish_of_operations),
    "resizing": lambda: chain(
        PICTURE,
        layers.ZeroPadding2D(((0, 1), (1, 2))),
        layers.Conv2D(4, 3, strides=2),
        layers.Cropping2D(1),
        layers.UpSampling2D(2),
        layers.Permute((2, 1, 3)),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.AveragePooling2D(2, strides=1, padding="same"),
        layers.GlobalMaxPooling2D(),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_device_computes_what_training_shows(name):
    keras.utils.set_random_seed(1)
    model = NETWORKS[name]()
    shake_normalization(model)
    x = np.random.default_rng(0).normal(0, 1, (32, *model.input_shape[1:])).astype("float32")
    quantized = ks.calibrate(model, x, strict=True)
    tflite = te.convert(quantized)
    assert {tensor.dtype for tensor in tflite.graph.main.tensors} <= {"int8", "int32"}
    result = te.verify(tflite, x, quantized)
    assert result.keras[0].max_steps <= 3
    assert result.keras[0].mean_steps < 0.5
    assert [difference.differing for difference in result.compiled_c] == [0]
    promised, computed = model.predict(x, verbose=0), quantized.predict(x, verbose=0)
    assert np.mean((promised - computed) ** 2) < 1e-3 * np.mean(promised**2) + 1e-9
    # Every form trains as well.
    quantized.compile("sgd", "mse")
    quantized.fit(x, promised, verbose=0)
    assert np.isfinite(quantized.predict(x, verbose=0)).all()


@pytest.mark.parametrize(
    "name", ["separable2d", "densely connected", "add of three", "silu", "operations", "rescaling"]
)
def test_every_form_survives_saving(name, tmp_path):
    keras.utils.set_random_seed(1)
    model = NETWORKS[name]()
    x = np.random.default_rng(0).normal(0, 1, (8, *model.input_shape[1:])).astype("float32")
    quantized = ks.calibrate(model, x)
    quantized.save(tmp_path / "q.keras")
    loaded = keras.models.load_model(tmp_path / "q.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), quantized.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (
            lambda: layers.Conv1D(4, 3, padding="causal", name="l"),
            "its causal padding is an operator of its own",
        ),
        (lambda: layers.Conv1D(4, 3, activation="elu", name="l"), "its activation elu has no integer form"),
        (lambda: layers.LSTM(4, name="l"), "no integer form of LSTM is known"),
        (lambda: layers.ReLU(max_value=3, name="l"), "ReLU\\(max_value=3"),
        (lambda: layers.Softmax(axis=1, name="l"), "softmax over axis 1"),
        (lambda: layers.BatchNormalization(axis=1, name="l"), "it normalizes axis 1"),
    ],
)
def test_what_has_no_integer_form_is_refused_with_its_reason(layer, reason):
    with pytest.raises(ValueError, match=f"l: {reason}"):
        ks.quantize(chain(SERIES, layer()), strict=True)
