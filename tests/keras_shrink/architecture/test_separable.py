"""Convolutions as separable ones."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te


def network(seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 3), name="picture")
    x = layers.Conv2D(8, 3, padding="same", name="stem")(inputs)
    x = layers.ReLU(name="relu")(x)
    y = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.Add(name="add")([x, y])
    x = layers.Conv2D(12, (3, 2), strides=2, dilation_rate=1, use_bias=False, name="strided")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(inputs, layers.Dense(4, name="scores")(x), name="network")


def pictures(count=64, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 8, 8, 3)).astype("float32")


def outputs(model, x):
    return keras.ops.convert_to_numpy(model(x))


def test_convolutions_on_many_channels_become_separable_and_keep_their_names():
    new = ks.to_separable(network())
    kinds = {layer.name: type(layer).__name__ for layer in new.layers}
    assert kinds["stem"] == "Conv2D"
    assert kinds["conv"] == kinds["strided"] == "SeparableConv2D"
    assert new.get_layer("strided").kernel_size == (3, 2)
    assert not new.get_layer("strided").use_bias


def test_the_model_given_is_not_touched():
    model = network()
    before = [weight.numpy().copy() for weight in model.weights]
    ks.to_separable(model, data=pictures())
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


@pytest.mark.parametrize("kind", ["2d", "1d"])
def test_a_kernel_of_low_rank_is_replaced_without_loss(kind):
    keras.utils.set_random_seed(1)
    if kind == "2d":
        start, conv = keras.Input((6, 6, 8)), layers.Conv2D(16, 3, padding="same", dilation_rate=2, name="c")
        shape = (3, 3, 8, 16)
    else:
        start, conv = keras.Input((12, 8)), layers.Conv1D(16, 5, padding="same", name="c")
        shape = (5, 8, 16)
    model = keras.Sequential([start, conv])
    generator = np.random.default_rng(0)
    conv.kernel.assign(generator.normal(size=(*shape[:-1], 1)) * generator.normal(size=shape[-2:]))
    x = generator.normal(size=(4, *model.input_shape[1:])).astype("float32")
    for data in (None, x):
        np.testing.assert_allclose(
            outputs(ks.to_separable(model, data=data), x), outputs(model, x), atol=1e-3
        )


def test_data_brings_the_start_nearer_to_the_original():
    model, x = network(), pictures(256)

    def error(data):
        return np.mean((outputs(ks.to_separable(model, data=data), x) - outputs(model, x)) ** 2)

    assert error(x) < 0.8 * error(None)


def test_what_cannot_be_replaced_is_named_with_its_reason():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 8)),
            layers.Conv2D(8, 3, groups=2, name="grouped"),
            layers.Conv2D(8, 3, strides=(1, 2), name="uneven"),
            layers.Conv2D(8, 1, name="pointwise"),
            layers.Conv2D(8, 2, name="fine"),
            layers.Flatten(),
            layers.Dense(2, name="dense"),
        ]
    )
    with pytest.warns(
        UserWarning, match="(?s)4 layer.*grouped: it has 2 groups.*uneven: its strides"
    ) as caught:
        new = ks.to_separable(model, ks.select.has_kernel)
    text = str(caught[0].message)
    assert "pointwise: 72 multiplications a pixel instead of 64" in text
    assert "dense: a Dense has no separable form" in text
    assert type(new.get_layer("fine")).__name__ == "SeparableConv2D"


def test_causal_convolutions_stay():
    model = keras.Sequential([keras.Input((12, 8)), layers.Conv1D(16, 5, padding="causal", name="c")])
    with pytest.warns(UserWarning, match="c: its padding is causal"):
        new = ks.to_separable(model)
    assert type(new.get_layer("c")).__name__ == "Conv1D"


def test_a_shared_layer_stays_shared_but_is_not_matched_to_data():
    shared = layers.Conv2D(8, 3, padding="same", name="shared")
    inputs = keras.Input((8, 8, 8))
    model = keras.Model(inputs, shared(shared(inputs)))
    new = ks.to_separable(model)
    assert len(new.layers) == 2
    with pytest.raises(ValueError, match="'shared' is used 2 times"):
        ks.to_separable(model, data=np.zeros((1, 8, 8, 8)))


def test_nothing_to_do_is_an_error():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="No layer was chosen.*on at least 8 channels"):
        ks.to_separable(model)


@pytest.mark.parametrize("value", [0, True, 1.5])
def test_a_multiplier_must_be_a_whole_number(value):
    with pytest.raises(ValueError, match="depth_multiplier must be an integer of at least 1"):
        ks.to_separable(network(), depth_multiplier=value)


def test_the_result_trains_quantizes_and_converts():
    new = ks.to_separable(network())
    new.compile("sgd", "mse", jit_compile=False)
    new.fit(pictures(), np.zeros((64, 4)), verbose=0)
    tflite = te.convert(ks.calibrate(new, pictures()))
    assert not te.summary(tflite, measure=False).float_islands
