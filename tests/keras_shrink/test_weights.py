import keras
import numpy as np
import pytest
from keras import layers

from keras_shrink.weights import Mask, SharedValues, Transformed

WRAPPED = {
    "dense": (lambda: layers.Dense(3, name="inside"), (4,)),
    "conv": (lambda: layers.Conv2D(3, 3, name="inside"), (6, 6, 2)),
    "depthwise": (lambda: layers.DepthwiseConv2D(3, name="inside"), (6, 6, 2)),
}


def half_masked(kind):
    make, shape = WRAPPED[kind]
    layer = make()
    layer.build((None, *shape))
    mask = np.random.default_rng(0).random(layer.kernel.shape) < 0.5
    inputs = keras.Input(shape)
    outputs = layers.Flatten()(Transformed(make(), weights={"kernel": [Mask(mask)]})(inputs))
    return (
        keras.Model(inputs, outputs),
        mask,
        np.random.default_rng(1).normal(size=(16, *shape)).astype("float32"),
    )


@pytest.mark.parametrize("kind", WRAPPED)
def test_the_layer_sees_the_transformed_weight(kind):
    model, mask, x = half_masked(kind)
    before = model.predict(x, verbose=0)
    inside = model.get_layer("inside").layer
    inside.kernel.assign(inside.kernel * mask)
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("kind", WRAPPED)
def test_training_leaves_masked_weights_alone_and_moves_the_others(kind, jit_compile):
    model, mask, x = half_masked(kind)
    kernel = model.get_layer("inside").layer.kernel
    before = kernel.numpy()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", jit_compile=jit_compile)
    model.fit(x, np.ones(model.output_shape[1:] and (16, *model.output_shape[1:])), epochs=2, verbose=0)
    moved = kernel.numpy() != before
    assert not moved[~mask].any()
    assert moved[mask].all()


@pytest.mark.parametrize("kind", WRAPPED)
def test_saving_and_loading_gives_the_same_model(kind, tmp_path):
    model, mask, x = half_masked(kind)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    np.testing.assert_array_equal(loaded.get_layer("inside").transforms[0].mask.numpy(), mask)


def test_statistics_of_the_wrapped_layer_are_updated():
    layer = layers.BatchNormalization(name="norm")
    wrapped = Transformed(layer, weights={"gamma": [Mask(np.array([True, False]))]})
    x = np.random.default_rng(0).normal(3, 1, (32, 2)).astype("float32")
    wrapped(x, training=True)
    assert np.all(layer.moving_mean.numpy() != 0)
    np.testing.assert_array_equal(wrapped(x).numpy()[:, 1], 0)


def test_an_unknown_weight_is_named_with_those_there_are():
    wrapped = Transformed(layers.Dense(2, name="fc"), weights={"gamma": [Mask(np.ones((2,), bool))]})
    with pytest.raises(ValueError, match=r"it has \['bias', 'kernel'\].*name='gamma'"):
        wrapped(np.ones((1, 2), "float32"))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_shared_values_are_looked_up(axis):
    generator = np.random.default_rng(0)
    index = generator.integers(0, 3, (4, 5))
    table = generator.normal(size=(3,) if axis is None else (index.shape[axis], 3)).astype("float32")
    if axis is None:
        expected = table[index]
    else:
        expected = np.take_along_axis(table, np.moveaxis(index, axis, 0), axis=1)
    values = SharedValues(table, index, axis=axis)(np.zeros((4, 5), "float32")).numpy()
    np.testing.assert_array_equal(np.moveaxis(values, axis or 0, 0), expected)


@pytest.mark.parametrize("zero_first", [False, True])
def test_the_first_value_stays_zero_if_asked(zero_first):
    shared = SharedValues([0.0, 1.0], [[0, 1, 1]], zero_first=zero_first)
    wrapped = Transformed(layers.Dense(3, use_bias=False), weights={"kernel": [shared]})
    model = keras.Sequential([keras.Input((1,)), wrapped])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1), "mse", jit_compile=False)
    model.fit(np.ones((4, 1)), np.full((4, 3), 5.0), epochs=2, verbose=0)
    first, second, third = wrapped.transformed("kernel").numpy()[0]
    assert bool(first == 0) is zero_first
    assert second == third != 1


def test_a_weight_whose_values_are_shared_does_not_train_itself():
    shared = SharedValues([0.5, 1.0], [[0, 1, 1]])
    wrapped = Transformed(layers.Dense(3), weights={"kernel": [shared]})
    wrapped.build((None, 1))
    assert [variable.name for variable in wrapped.trainable_variables] == ["bias", "table"]


@pytest.mark.parametrize(("values", "dtype"), [(256, "uint8"), (257, "int32")])
def test_indices_take_a_byte_where_they_fit(values, dtype):
    shared = SharedValues(np.arange(values), np.arange(values))
    assert shared.index.dtype == dtype
    np.testing.assert_array_equal(shared(np.zeros(values, "float32")), np.arange(values))


def test_a_weight_can_be_named_by_its_position():
    layer = layers.Dense(2, name="fc", kernel_initializer="ones", bias_initializer="ones")
    wrapped = Transformed(layer, weights={"1": [Mask([True, False])]})
    np.testing.assert_array_equal(wrapped(np.zeros((1, 3), "float32")), [[1.0, 0.0]])
