"""Quantized models evaluate as the device does."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.quantization.device_rounding import device_roundings
from keras_shrink.quantization.fake_quant import SymmetricWeights
from keras_shrink.quantization.quantize import activation_quantizers
from tests.keras_shrink.device import on_device
from tests.keras_shrink.networks import pictures, residual_network, shake_normalization
from tflite_export.affine import quantize_array


def strided_network():
    """Pooling at the border, a normalization of its own, a mean, a difference, and a gate."""
    inputs = keras.Input((9, 9, 3))
    x = layers.BatchNormalization(name="first_norm")(inputs)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6", name="conv")(x)
    y = layers.Conv2DTranspose(8, 3, padding="same", name="transposed")(x)
    x = layers.Subtract(name="difference")([x, y])
    gate = layers.Dense(8, activation="relu6", name="gate")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply(name="gated")([x, gate])
    x = layers.AveragePooling2D(3, 2, padding="same", name="average")(x)
    x = layers.Conv2D(12, 1, name="pointwise")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, layers.Dense(4, name="scores")(x))


def series_network():
    """Layers of one dimension, one behind the other."""
    return keras.Sequential(
        [
            keras.Input((20, 3)),
            layers.Conv1D(8, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.Dropout(0.1),
            layers.ReLU(),
            layers.DepthwiseConv1D(3, depth_multiplier=2),
            layers.AveragePooling1D(2),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4),
        ]
    )


def transformer_network():
    """Attention, normalized sums, and a gate."""
    inputs = keras.Input((8, 6))
    x = layers.Add()([inputs, layers.MultiHeadAttention(2, 4)(inputs, inputs, use_causal_mask=True)])
    x = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.Dense(6)(layers.Dense(8, activation="gelu")(x))])
    x = layers.RMSNormalization()(layers.Dense(160, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def joined_network():
    """Convolutions side by side, and lines with a bend."""
    inputs = keras.Input((8, 6))
    x = layers.SeparableConv1D(6, 3, padding="same", use_bias=False)(inputs)
    x = layers.SeparableConv1D(8, 3, padding="same")(layers.ReLU()(layers.BatchNormalization()(x)))
    x = layers.GroupNormalization(2)(layers.LeakyReLU()(x))
    y = layers.MaxPooling1D(3, 1, padding="same")(layers.Conv1D(8, 1, activation="relu")(inputs))
    x = layers.Concatenate()([x, y, inputs])
    x = layers.PReLU(shared_axes=[1], alpha_initializer="glorot_uniform")(layers.Dense(6)(x))
    return keras.Model(inputs, layers.Dense(3)(layers.Maximum()([layers.Dense(6)(x), layers.Dense(6)(x)])))


def operations_network():
    """Merges of several tensors and products of all kinds."""
    inputs = keras.Input((8, 6))
    parts = [layers.Dense(6)(inputs) for _ in range(3)]
    x = layers.Average()(parts) * parts[0] * 0.7
    x = layers.Subtract()([layers.Multiply()(parts), x])
    x = layers.EinsumDense("abc,cd->abd", output_shape=(None, 6), bias_axes="d")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.Dot(axes=(2, 2))([x, parts[1]])))


def recurrent_network():
    """Layers with a memory in all their forms."""
    inputs = keras.Input((2, 6))
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(inputs)
    x = layers.GRU(5, return_sequences=True)(x)
    x = layers.GRU(5, reset_after=False, return_sequences=True)(x)
    x = layers.LSTM(4, return_sequences=True, unroll=True)(x)
    x = layers.SimpleRNN(5, activation="relu", return_sequences=True)(x)
    return keras.Model(inputs, layers.SimpleRNN(4, go_backwards=True, use_bias=False)(x))


def bare_network():
    """Operations that are no layers, one behind the other, and ReLUs of all kinds."""
    inputs = keras.Input((8, 6))
    x = layers.Dense(6)(inputs)
    y = keras.ops.relu6(keras.ops.relu(inputs + x) - x * 0.3)
    y = layers.ReLU(1.0)(1.5 - y * y) + np.linspace(-1, 1, 6, dtype="float32")
    y = layers.ReLU(2.0)(layers.MaxPooling1D(1)(y)) * np.linspace(0.2, 2, 6, dtype="float32")
    y = layers.ReLU(6.0)(layers.ZeroPadding1D(1)(y - keras.ops.mean(y, axis=1, keepdims=True)))
    y = layers.EinsumDense("abc,cde->abde", (None, 2, 5), bias_axes="de")(y)
    z = keras.ops.absolute(layers.Conv1DTranspose(10, 3, activation="relu6")(layers.Reshape((10, 10))(y)))
    return keras.Model(inputs, keras.ops.sum(keras.ops.matmul(z, keras.ops.transpose(z, (0, 2, 1))), axis=1))


def curved_network():
    """Activations of all kinds."""
    inputs = keras.Input((8, 6))
    x = inputs
    for name in ("elu", "hard_silu", "leaky_relu", "selu", "hard_sigmoid", "silu", "softplus", "tanh"):
        x = layers.Dense(12, activation=name)(x)
    x = layers.ReLU(negative_slope=0.3)(layers.Dense(6)(layers.ELU(0.5)(layers.Dense(8)(x))))
    x = x * layers.Activation("sigmoid")(inputs)
    return keras.Model(inputs, layers.Dense(5, activation="log_softmax")(x))


NETWORKS = {
    "bare": bare_network,
    "curved": curved_network,
    "residual": lambda: residual_network(activation="linear"),
    "strided": strided_network,
    "series": series_network,
    "transformer": transformer_network,
    "joined": joined_network,
    "operations": operations_network,
    "recurrent": recurrent_network,
}


def made(name, config=None):
    """A calibrated network of that name, and data for it."""
    keras.utils.set_random_seed(0)
    model = NETWORKS[name]()
    shake_normalization(model)
    x = pictures(512, shape=model.input_shape[1:])
    return ks.calibrate(model, x[:128], config), x


calibrated = functools.cache(made)  # for tests that leave the model as it is


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("residual", None),
        ("residual", ks.Int8(weight_bits=4)),
        ("strided", None),
        ("strided", ks.Int8(per_channel=False)),
        ("series", None),
        ("bare", None),
        ("curved", None),
    ],
)
def test_predictions_are_the_integers_of_the_device(name, config):
    model, x = calibrated(name) if config is None else made(name, config)
    computed, output = on_device(model, x)
    shown, plain = (
        quantize_array(y, output).reshape(computed.shape)
        for y in (model.predict(x, verbose=0), np.asarray(model(x)))
    )
    np.testing.assert_array_equal(shown, computed)
    assert np.abs(plain.astype(int) - computed).max() > 0  # else this test could not fail


@pytest.mark.parametrize("name", ["transformer", "joined", "operations", "recurrent"])
@pytest.mark.filterwarnings("ignore:The file computes LSTM layers")
def test_layers_of_several_operators_predict_the_integers_of_the_device(name):
    model, x = made(name)
    file = te.convert(model)
    output = file.graph.outputs[0]
    computed = ks.simulate(file, dequantize=False).predict(x, verbose=0).astype(int)
    shown, plain = (
        quantize_array(y, output).astype(int) for y in (model.predict(x, verbose=0), np.asarray(model(x)))
    )
    # Within recurrent layers activations are computed in float32, where now and then a value is the next one.
    assert np.abs(shown - computed).max() <= 1
    assert np.mean(shown != computed) < 0.002
    assert np.mean(plain != computed) > 0.005  # else this test could not fail


@pytest.mark.parametrize(
    "layer", [layers.Dense(4), layers.Conv1D(4, 3), layers.DepthwiseConv1D(3)], ids=lambda layer: layer.name
)
def test_channels_of_zeros_give_what_is_added(layer):
    model = keras.Sequential([keras.Input((6, 4)), layer, layers.BatchNormalization()])
    shake_normalization(model)
    kernel, bias = layer.get_weights()
    kernel[(..., 1, slice(None)) if layer.name.startswith("depthwise") else (..., 1)] = 0
    layer.set_weights([kernel, bias + np.linspace(0.1, 0.4, 4)])
    model.layers[1].gamma.assign(np.array([1.0, 1.0, 0.0, 1.0]))
    x = pictures(64, shape=(6, 4))
    quantized = ks.calibrate(model, x)
    device = ks.simulate(quantized).predict(x, verbose=0)
    np.testing.assert_allclose(quantized.predict(x, verbose=0), device, atol=1e-6)


def in_the_middle(low, high, levels):
    """Values in the middle of two steps of a range, their neighbours, and some beyond the ends."""
    step = np.float32((high - low) / levels)
    count = np.random.default_rng(0).integers(-levels, 2 * levels, 1000)
    halves = ((count + 0.5) * step).astype("float32")
    beside = [np.nextafter(halves, np.float32(side)) for side in (np.inf, -np.inf)]
    return np.concatenate([halves, *beside, np.float32([low, high, 3 * low - 1, 3 * high + 1, 0])])


def ranges_to_round_to():
    """Ends of ranges; in many of them zero is in the middle of two steps."""
    generator = np.random.default_rng(3)
    sides = np.float32([1, 1 / 3, 0.1, 5.768959, *generator.uniform(0.1, 9, 6)])
    steps, places = generator.uniform(0.001, 0.1, 6), generator.integers(0, 250, 6) + 0.5
    uneven = np.float32([-steps * places, steps * (255 - places)]).T
    return [
        *((-x, x) for x in sides),
        *uneven,
        (0, 1),
        (0, 255),
        *generator.uniform((-3, 0.1), (0, 5), (8, 2)),
    ]


@pytest.mark.parametrize(
    ("config", "options"),
    [(ks.Int8(), {}), (ks.Int8(), {"jit_compile": True}), (ks.Int16x8(), {})],
    ids=["int8", "jit_compile", "int16"],
)
def test_inputs_are_rounded_as_those_of_the_file(config, options):
    ranges = ranges_to_round_to()
    inputs = [keras.Input((1, 1)) for _ in ranges]
    quantized = ks.quantize(keras.Model(inputs, [layers.ZeroPadding1D((0, 1))(x) for x in inputs]), config)
    for quantizer, ends in zip(activation_quantizers(quantized).values(), ranges, strict=True):
        quantizer.set_range(*ends)
    x = [in_the_middle(*ends, 2**config.activation_bits - 1)[:, None, None] for ends in ranges]
    quantized.compile(**options)
    called, predicted = quantized(x), quantized.predict(x, batch_size=len(x[0]), verbose=0)
    tensors = list(te.convert(quantized).graph.named("inputs").values())
    expected, plain, shown = (
        np.stack([quantize_array(np.asarray(y)[:, :1], tensors[i]) for i, y in enumerate(values)])
        for values in (x, called, predicted)
    )
    np.testing.assert_array_equal(shown, expected)
    differences = np.abs(plain.astype(int) - expected)
    assert 0 < np.mean(differences > 0) < 0.5  # else this test could not fail
    assert differences.max() == 1


@pytest.mark.parametrize("name", ["strided", "joined"])
def test_inputs_between_two_steps_give_the_integers_of_the_device(name):
    model, _ = calibrated(name)
    quantizer = next(iter(activation_quantizers(model).values()))
    values = in_the_middle(*quantizer.range(), 255)
    x = np.random.default_rng(1).choice(values, (128, *model.input_shape[1:]))
    computed, output = on_device(model, x)
    np.testing.assert_array_equal(
        quantize_array(model.predict(x, verbose=0), output), computed.reshape(-1, *output.shape[1:])
    )
    simulated = ks.simulate(model, dequantize=False).predict(x, verbose=0)
    np.testing.assert_array_equal(simulated.reshape(computed.shape), computed)
    plain = quantize_array(np.asarray(model(x)), output).reshape(computed.shape)
    assert np.mean(plain != computed) > 0.05  # else this test could not fail


def test_an_input_that_only_a_join_reads_is_rounded_as_that_of_the_file():
    inputs = [keras.Input((6, 3)), keras.Input((6, 4))]
    x = layers.ZeroPadding1D(1)(layers.Conv1D(4, 6)(inputs[1]))
    x = layers.Concatenate()([layers.MaxPooling1D(2)(inputs[0]), x])
    model = ks.calibrate(keras.Model(inputs, x), [pictures(64, shape=x.shape[1:]) for x in inputs])
    values = in_the_middle(*model.layers[-1].outputs_through[0].range(), 255)
    x = [np.random.default_rng(1).choice(values, (128, 6, 3)), pictures(128, shape=(6, 4))]
    shown, plain = model.predict(x, verbose=0), np.asarray(model(x))
    device = ks.simulate(model)
    np.testing.assert_allclose(shown, device.predict(x, verbose=0), atol=1e-6)
    assert np.mean(np.abs(shown - plain) > 1e-3) > 0.02  # else this test could not fail


def test_every_operator_of_a_convolutional_network_is_covered():
    model, _ = calibrated("residual")
    covered = device_roundings(model)
    rounding = [
        layer.name
        for layer in model.layers
        if getattr(layer, "outputs_through", ()) and id(layer) not in covered
    ]
    # What is before them is rounded in their place.
    assert rounding == ["stem_relu", "depthwise_relu", "residual_relu"]


def test_evaluation_is_that_of_the_file():
    model, x = made("residual")
    model.compile("adam", "mse", metrics=["mae"])
    y = np.random.default_rng(1).normal(size=(len(x), 5)).astype("float32")
    shown = model.evaluate(x, y, verbose=0, return_dict=True)
    device = ks.simulate(model)
    device.compile("adam", "mse", metrics=["mae"])
    assert shown == pytest.approx(device.evaluate(x, y, verbose=0, return_dict=True), rel=1e-6)


def test_the_file_is_the_same_before_and_after_an_evaluation():
    model, x = calibrated("residual")
    before = te.convert(model).bytes
    model.predict(x[:8], verbose=0)
    assert te.convert(model).bytes == before


@pytest.mark.parametrize("name", ["residual", "series"])
def test_a_loaded_or_copied_model_evaluates_alike(name, tmp_path):
    model, x = calibrated(name)
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)
    again = ks.calibrate(model, x[:128])
    np.testing.assert_array_equal(again.predict(x, verbose=0), expected)


def test_compiling_with_xla_changes_nothing():
    model, x = made("strided")
    expected = model.predict(x, verbose=0)
    model.compile(jit_compile=True)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-6)


def test_a_distilled_student_evaluates_as_it_does_alone():
    student, x = calibrated("series")
    distiller = ks.Distiller(student, series_network())
    expected = student.predict(x, verbose=0)
    assert np.abs(expected - np.asarray(student(x))).max() > 0
    np.testing.assert_array_equal(distiller.predict(x, verbose=0), expected)


def test_a_layer_at_two_places_computes_as_keras_does():
    shared = layers.Dense(4, name="shared")
    inputs = keras.Input((4,))
    model = ks.calibrate(keras.Model(inputs, shared(shared(inputs))), pictures(64, shape=(4,)))
    assert len(device_roundings(model)) == 1  # the rounding of its input
    x = pictures(16, shape=(4,))
    np.testing.assert_array_equal(model.predict(x, verbose=0), np.asarray(model(x)))


def test_half_precision_computes_as_keras_does():
    keras.utils.set_random_seed(0)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = ks.calibrate(keras.Sequential([keras.Input((8,)), layers.Dense(4)]), pictures(64, shape=(8,)))
        x = pictures(16, shape=(8,))
        np.testing.assert_array_equal(model.predict(x, verbose=0), np.asarray(model(x)))
    finally:
        keras.config.set_dtype_policy(policy)


def test_a_weight_between_two_steps_rounds_alike_in_every_graph():
    # The largest weight of a channel decides the scale; halves of steps lie where one bit of it decides.
    ends = np.linspace(0.3, 1.7, 400, dtype="float32")
    weight = np.stack([ends * np.float32(k / 254.0) for k in (254, 1, 3, 5, 101, 253)])
    rounding = SymmetricWeights((0,))
    stored = tf.Variable(weight)
    traced = tf.function(lambda: rounding(stored, training=False))
    np.testing.assert_array_equal(traced().numpy(), rounding(stored, training=False).numpy())
