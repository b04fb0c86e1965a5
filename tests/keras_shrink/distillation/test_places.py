import keras
import numpy as np
import pytest
from keras import layers

from keras_shrink.distillation.places import Watched, final_activation, find_layer


def nested():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name="fc"), layers.ReLU(name="relu")], name="body"
    )
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(2, name="head")(inner(inputs)), name="outer")


def test_values_inside_nested_models_are_seen_and_the_model_stays_as_it_was():
    model = nested()
    x = np.ones((2, 4), "float32")
    before = {layer: dict(vars(layer)).keys() for layer in model._flatten_layers()}
    outputs, values = Watched(model, ["body/fc", "relu"])(x)
    np.testing.assert_allclose(values["layer/body/fc"], model.get_layer("body").get_layer("fc")(x))
    np.testing.assert_allclose(values["layer/relu"], np.maximum(values["layer/body/fc"], 0))
    np.testing.assert_array_equal(outputs, values["output/0"])
    assert {layer: dict(vars(layer)).keys() for layer in model._flatten_layers()} == before


def test_places_are_known_without_data():
    places = Watched(nested(), ["body/fc"]).places()
    assert places["layer/body/fc"].shape == (None, 3)
    assert places["output/0"].activation == "linear"


def test_layers_that_are_not_there_or_not_one_are_refused():
    model = nested()
    with pytest.raises(ValueError, match=r"0 layers of 'outer' have that name.*Received: 'conv'"):
        find_layer(model, "conv")
    twice = keras.Sequential([keras.Input((4,)), nested(), layers.Dense(2, name="fc")], name="twice")
    with pytest.raises(ValueError, match="2 layers of 'twice' have that name"):
        find_layer(twice, "fc")
    assert find_layer(twice, "outer/body/fc").units == 3


def test_a_layer_called_twice_has_no_one_output():
    shared = layers.Dense(4, name="shared")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, shared(shared(inputs)))
    with pytest.raises(ValueError, match="'shared' of .* is called more than once"):
        Watched(model, ["shared"])(np.ones((1, 4), "float32"))


@pytest.mark.parametrize(
    ("last", "wanted"),
    [
        (lambda x: layers.Dense(3, activation="softmax")(x), "softmax"),
        (lambda x: layers.Softmax()(x), "softmax"),
        (lambda x: keras.ops.sigmoid(x), "sigmoid"),
        (lambda x: layers.Reshape((3, 1))(layers.Activation("softmax")(x)), "softmax"),
        (lambda x: layers.Dense(3)(x), "linear"),
        (lambda x: layers.Add()([x, x]), "linear"),
        (
            lambda x: keras.Sequential([keras.Input((3,)), layers.Dense(3, activation="sigmoid")])(x),
            "sigmoid",
        ),
        (
            lambda x: layers.TimeDistributed(layers.Dense(3, activation="softmax"))(
                layers.Reshape((3, 1))(x)
            ),
            "softmax",
        ),
    ],
)
def test_the_last_activation_is_found(last, wanted):
    inputs = keras.Input((3,))
    assert final_activation(keras.Model(inputs, last(inputs)).outputs[0]) == wanted
