import keras
import numpy as np
import pytest
from keras import layers

from keras_shrink.rebuild import rebuild
from tests.keras_shrink.networks import pictures, residual_network


def nested():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="inside")], name="inner")
    shared = layers.Dense(4, name="shared")
    inputs = keras.Input((4,), name="x")
    return keras.Model(inputs, inner(shared(shared(inputs))), name="outer")


def test_a_copy_computes_the_same_and_shares_nothing():
    model = residual_network()
    copy = rebuild(model)
    x = pictures()
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))
    copy.get_layer("stem").kernel.assign(np.zeros(copy.get_layer("stem").kernel.shape))
    assert np.any(model.get_layer("stem").kernel.numpy())
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]


def test_shared_layers_stay_shared_and_nested_models_nested():
    model = nested()
    copy = rebuild(model)
    assert len(copy.weights) == len(model.weights) == 4
    assert copy.get_layer("inner").get_layer("inside") is not model.get_layer("inner").get_layer("inside")
    x = pictures(4, shape=(4,))
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))


def test_frozen_layers_stay_frozen():
    model = nested()
    model.get_layer("shared").trainable = False
    assert not rebuild(model).get_layer("shared").trainable


def test_a_compiled_model_gives_one_compiled_alike_with_a_fresh_optimizer():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.125), "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 2)), verbose=0)
    copy = rebuild(model, behind_input=lambda tensor: layers.Identity())
    assert float(copy.optimizer.learning_rate) == 0.125
    assert int(copy.optimizer.iterations) == 0
    assert int(model.optimizer.iterations) == 1


@pytest.mark.parametrize(
    "make", [residual_network, lambda: keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten()])]
)
def test_a_layer_can_be_put_behind_the_input(make):
    copy = rebuild(make(), behind_input=lambda tensor: layers.Rescaling(0.0, name="silence"))
    x = pictures(4)
    assert np.ptp(copy.predict(x, verbose=0), axis=0).max() == 0


def test_a_subclassed_model_is_refused():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match=r"subclassed model cannot be rebuilt.*Received: model of type Mine"):
        rebuild(Mine())


def test_a_model_without_shapes_is_refused():
    with pytest.raises(ValueError, match="not built"):
        rebuild(keras.Sequential([layers.Dense(2)]))


def test_inputs_of_nested_models_take_another_shape_where_an_exchange_needs_it():
    shared = layers.Dense(4, name="shared")
    deepest = keras.Sequential([keras.Input((4,)), shared, layers.ReLU()], name="deepest")
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, layers.Add()([deepest(inputs), inputs]), name="inner")
    outside = keras.Input((3,))
    model = keras.Model(outside, shared(inner(inner(layers.Dense(4, name="first")(outside)))))

    def narrow(copy, original):
        if not isinstance(original, layers.Dense):
            return copy
        return layers.Dense(2, name=original.name)

    copy = rebuild(model, narrow, inner_shape=lambda nested, index: (None, 2))
    assert copy.output_shape == (None, 2)
    assert copy.get_layer("inner").get_layer("deepest").input_shape == (None, 2)
    assert len(copy.weights) == len(model.weights) == 4


def test_one_layer_can_become_several_anywhere():
    model = nested()

    def exchange(copy, original):
        if original.name not in ("shared", "inside"):
            return copy
        return [copy, layers.Rescaling(2.0, name=f"{copy.name}_doubled")]

    copy = rebuild(model, exchange)
    names = [layer.name for layer in copy.get_layer("inner").layers]
    assert names == ["inside", "inside_doubled"]
    for original, made in ((model, copy), (model.get_layer("inner"), copy.get_layer("inner"))):
        name = "shared" if original is model else "inside"
        made.get_layer(name).set_weights(original.get_layer(name).get_weights())
    x = pictures(4, shape=(4,))
    wanted = 8 * model.predict(x, verbose=0)  # biases are zero: three calls, each doubled
    np.testing.assert_allclose(copy.predict(x, verbose=0), wanted, rtol=1e-5)


def test_sequential_models_that_took_their_shapes_from_a_call():
    deep = keras.Sequential([layers.Dense(4, name="b")], name="deep")
    inner = keras.Sequential([layers.Dense(4, name="a"), deep], name="inner")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, inner(inputs))
    x = pictures(4, shape=(4,))
    np.testing.assert_array_equal(rebuild(model).predict(x, verbose=0), model.predict(x, verbose=0))
