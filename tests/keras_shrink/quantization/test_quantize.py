import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_shrink as ks
from keras_shrink.quantization.quantize import activation_quantizers
from keras_shrink.weights import Transformed
from tests.keras_shrink.networks import pictures, residual_network


def sequential():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3), name="picture"),
            layers.Conv2D(6, 3, use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Activation("relu6", name="relu6"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dense(5, name="logits"),
            layers.Softmax(name="softmax"),
        ],
        name="sequential",
    )


MODELS = {"functional": residual_network, "sequential": sequential}


def grid_levels(values, axes):
    scale = np.abs(values).max(axis=axes, keepdims=True) / 127
    return values / np.where(scale == 0, 1, scale)


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


def test_the_given_model_is_not_touched(model):
    x = pictures()
    before, weights = model.predict(x, verbose=0), [w.copy() for w in model.get_weights()]
    quantized = ks.calibrate(model, x)
    quantized.compile("sgd", "sparse_categorical_crossentropy")
    quantized.fit(x, np.zeros(len(x)), verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)


def test_names_of_layers_survive(model):
    names = [layer.name for layer in ks.quantize(model).layers]
    assert [name for name in names if not name.endswith("_int8")] == [layer.name for layer in model.layers]


def test_every_weight_lies_on_the_grid_of_its_channel(model):
    quantized = ks.quantize(model)
    wrappers = [layer for layer in quantized.layers if isinstance(layer, Transformed) and layer.transforms]
    assert wrappers
    for wrapper in wrappers:
        axes = wrapper.transforms[-1].reduce_axes
        values = wrapper.transformed("kernel").numpy()
        levels = grid_levels(values, axes)
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
        step = np.abs(values).max(axis=axes, keepdims=True) / 127
        assert np.all(np.abs(values - wrapper.layer.kernel.numpy()) <= step * 0.5001)


def test_calibration_alone_stays_close_to_float(model):
    x = pictures(256)
    promised, computed = model.predict(x, verbose=0), ks.calibrate(model, x).predict(x, verbose=0)
    assert np.abs(promised - computed).max() < 0.1
    assert np.abs(promised - computed).mean() < 0.01


def test_ranges_are_those_of_the_data():
    model = keras.Sequential(
        [keras.Input((2,), name="x"), layers.Dense(1, kernel_initializer="ones", name="sum")]
    )
    quantized = ks.calibrate(model, np.array([[1.0, 2.0], [-3.0, -4.0], [0.0, 1.0]]))
    assert quantized.get_layer("x_int8").range() == (-4.0, 2.0)
    assert quantized.get_layer("sum").outputs_through[0].range() == (-7.0, 3.0)


def test_ranges_follow_the_first_batch_of_training_and_then_move_slowly():
    model = keras.Sequential([keras.Input((1,), name="x"), layers.Dense(1, name="y")])
    quantized = ks.quantize(model, ks.Int8(momentum=0.9))
    quantized.compile("sgd", "mse")
    observer = quantized.get_layer("x_int8")
    quantized.train_on_batch(np.array([[5.0], [-1.0]]), np.zeros((2, 1)))
    assert observer.range() == (-1.0, 5.0)
    quantized.train_on_batch(np.array([[7.0], [-3.0]]), np.zeros((2, 1)))
    assert observer.range() == (-2.0, 6.0)
    for _ in range(20):
        quantized.train_on_batch(np.array([[6.0], [-2.0]]), np.zeros((2, 1)))
    before = observer.range()[1]
    quantized.train_on_batch(np.array([[16.0], [-2.0]]), np.zeros((2, 1)))
    assert observer.range()[1] == pytest.approx(before + 0.1 * (16 - before), rel=1e-5)


def test_inference_leaves_ranges_alone(model):
    quantized = ks.calibrate(model, pictures())
    before = {name: quantizer.range() for name, quantizer in activation_quantizers(quantized).items()}
    quantized.predict(100 * pictures(), verbose=0)
    assert before == {name: quantizer.range() for name, quantizer in activation_quantizers(quantized).items()}


@pytest.mark.parametrize("jit_compile", [False, True])
def test_pruned_zeros_survive_training(jit_compile):
    model = residual_network()
    zeros = {}
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            kernel = layer.kernel.numpy()
            kernel[np.abs(kernel) < np.median(np.abs(kernel))] = 0
            layer.kernel.assign(kernel)
            zeros[layer.name] = kernel == 0
    quantized = ks.quantize(model)
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9, weight_decay=1e-3)
    quantized.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=jit_compile)
    quantized.fit(pictures(), np.arange(64) % 5, epochs=2, verbose=0)
    for name, expected in zeros.items():
        kernel = quantized.get_layer(name).transformed("kernel").numpy()
        assert np.all(kernel[expected] == 0)
        assert np.mean(kernel[~expected] != 0) > 0.9


def test_an_all_zero_kernel_is_not_frozen():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, kernel_initializer="zeros", name="fc")])
    quantized = ks.quantize(model)
    quantized.compile(keras.optimizers.SGD(0.1), "mse")
    quantized.fit(pictures(16, shape=(4,)), np.ones((16, 2)), verbose=0)
    assert np.any(quantized.get_layer("fc").layer.kernel.numpy())


def test_training_improves_what_rounding_spoils():
    x = pictures(256)
    model = residual_network()
    y = model.predict(x, verbose=0).argmax(1)
    quantized = ks.calibrate(model, x)
    quantized.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    losses = quantized.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_saving_and_loading_gives_the_same_model(model, tmp_path):
    x = pictures()
    quantized = ks.calibrate(model, x)
    quantized.save(tmp_path / "q.keras")
    loaded = keras.models.load_model(tmp_path / "q.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), quantized.predict(x, verbose=0))
    loaded.compile("sgd", "sparse_categorical_crossentropy")
    loaded.fit(x, np.zeros(len(x)), verbose=0)


def test_weights_round_trip_into_a_fresh_quantized_model(model, tmp_path):
    x = pictures()
    quantized = ks.calibrate(model, x)
    quantized.save_weights(tmp_path / "q.weights.h5")
    fresh = ks.calibrate(MODELS[model.name if model.name in MODELS else "functional"](), 3 * x)
    fresh.load_weights(tmp_path / "q.weights.h5")
    np.testing.assert_array_equal(fresh.predict(x, verbose=0), quantized.predict(x, verbose=0))


def test_a_model_that_saw_no_data_says_so():
    with pytest.raises(ValueError, match=r"has seen no data yet.*calibrate"):
        ks.quantize(sequential()).predict(pictures(), verbose=0)


def test_nested_and_shared_layers_are_quantized():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="inside"), layers.ReLU(name="relu")], name="inner"
    )
    shared = layers.Dense(4, name="shared")
    inputs = keras.Input((4,), name="x")
    quantized = ks.calibrate(keras.Model(inputs, inner(shared(shared(inputs)))), pictures(shape=(4,)))
    inside = quantized.get_layer("inner").get_layer("inside")
    assert isinstance(inside, Transformed)
    assert not inside.outputs_through
    assert isinstance(quantized.get_layer("shared"), Transformed)


def test_layers_without_integer_form_stay_float_with_their_reasons():
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(4, activation="mish", name="mish"),
            layers.UnitNormalization(axis=0, name="unit"),
            layers.Dense(2, name="fc"),
        ]
    )
    with pytest.warns(
        UserWarning, match=r"2 layer\(s\) cannot be quantized and stay float:\n  mish: .*\n  unit: "
    ):
        quantized = ks.quantize(model)
    assert quantized.get_layer("fc").transforms
    assert not quantized.get_layer("mish").transforms


def test_strict_names_all_layers_and_reasons_at_once():
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(4, activation="mish", name="a"),
            layers.UnitNormalization(axis=0, name="b"),
        ]
    )
    with pytest.raises(
        ValueError, match=r"2 layer\(s\) cannot be quantized:\n  a: its activation mish.*\n  b: it normalizes"
    ):
        ks.quantize(model, strict=True)


def test_quantizing_twice_is_refused():
    with pytest.raises(ValueError, match="quantized already"):
        ks.quantize(ks.quantize(sequential()))


def test_a_subclassed_model_is_refused():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="subclassed model"):
        ks.quantize(Mine())


def test_an_unknown_config_is_refused():
    with pytest.raises(ValueError, match=r"config must be one of Int8.*Received: config='int8'"):
        ks.quantize(sequential(), "int8")


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
def test_momentum_outside_its_range_is_refused(momentum):
    with pytest.raises(ValueError, match=rf"momentum must be in \[0, 1\). Received: momentum={momentum}"):
        ks.Int8(momentum=momentum)


def test_calibration_data_of_the_wrong_shape_is_refused():
    with pytest.raises(
        ValueError, match=r"must have shape \(None, 8, 8, 3\) for input 'picture'.*\(32, 4, 4, 3\)"
    ):
        ks.calibrate(sequential(), pictures(shape=(4, 4, 3)))


def test_calibration_data_with_nan_is_refused():
    x = pictures()
    x[3, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="1 NaN or infinite value"):
        ks.calibrate(sequential(), x)


def test_fake_quantized_activations_match_tensorflow():
    quantizer = next(iter(activation_quantizers(ks.calibrate(sequential(), pictures())).values()))
    x = tf.constant(pictures(4))
    low, high = quantizer.range()
    expected = tf.quantization.fake_quant_with_min_max_args(x, low, high)
    np.testing.assert_array_equal(quantizer(x), expected)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(quantizer(10 * x, training=True))
    inside = (10 * x >= quantizer.range()[0]) & (10 * x <= quantizer.range()[1])
    np.testing.assert_array_equal(tape.gradient(total, x), tf.where(inside, 10.0, 0.0))
