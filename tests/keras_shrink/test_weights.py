import keras
import numpy as np
import pytest
from keras import layers

from keras_shrink.weights import Mask, Transformed

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
