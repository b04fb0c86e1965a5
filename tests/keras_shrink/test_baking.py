import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from keras_shrink.baking import opened
from keras_shrink.weights import Mask, SharedValues, Transformed


def wrapped():
    inside = layers.Dense(6, name="fc")
    index = np.arange(24).reshape(4, 6) % 3
    chain = [SharedValues([0.5, 1.0, 2.0], index), Mask(np.arange(24).reshape(4, 6) % 2 == 0)]
    inputs = keras.Input((4,))
    outputs = layers.Dense(2, name="head")(Transformed(inside, weights={"kernel": chain})(inputs))
    return keras.Model(inputs, outputs)


def test_a_baked_weight_is_what_the_chain_gives():
    model = wrapped()
    plain = ks.bake(model)
    assert [type(layer) for layer in plain.layers] == [layers.InputLayer, layers.Dense, layers.Dense]
    values = np.array([0.5, 1.0, 2.0])[np.arange(24) % 3] * (np.arange(24) % 2 == 0)
    np.testing.assert_array_equal(plain.get_layer("fc").kernel, values.reshape(4, 6))
    x = np.random.default_rng(0).normal(size=(8, 4))
    np.testing.assert_array_equal(plain(x), model(x))


def test_a_plain_model_is_copied():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    plain = ks.bake(model)
    assert plain is not model
    np.testing.assert_array_equal(plain.layers[0].kernel, model.layers[0].kernel)


def test_a_frozen_layer_stays_frozen_and_others_can_be_trained():
    model = wrapped()
    model.get_layer("fc").layer.trainable = False
    plain = ks.bake(model)
    assert [layer.trainable for layer in plain.layers[1:]] == [False, True]
    assert [variable.name for variable in ks.bake(wrapped()).trainable_variables] == ["kernel", "bias"] * 2


def test_transforms_come_out_with_their_state():
    model = wrapped()
    model.get_layer("fc").transforms[0].table.assign([7.0, 8.0, 9.0])
    plain, transforms = opened(model)
    shared, mask = transforms[id(plain.get_layer("fc").kernel)]
    np.testing.assert_array_equal(shared.table, [7.0, 8.0, 9.0])
    assert mask.mask.numpy().sum() == 12


def test_a_quantized_model_has_no_plain_form():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="fc")])
    with pytest.raises(ValueError, match="quantized at layer 'fc'. Export it with tflite_export.convert"):
        ks.bake(ks.quantize(model))
