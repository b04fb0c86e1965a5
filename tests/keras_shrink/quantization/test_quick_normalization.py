import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_shrink as ks
from keras_shrink.quantization.quick_normalization import QuickNormalization, is_fused, normalize
from tests.keras_shrink.networks import pictures

SHAPE = (6, 5, 3)


def pair(**settings):
    """Returns Keras' layer and the quick one with the same weights."""
    generator = np.random.default_rng(0)
    made = [kind(momentum=0.9, **settings) for kind in (layers.BatchNormalization, QuickNormalization)]
    for layer in made:
        layer.build((None, *SHAPE))
    weights = [generator.uniform(0.5, 2.0, weight.shape) for weight in made[0].weights]
    for layer in made:
        layer.set_weights(weights)
    return made


def trained(layer, x, jit_compile):
    """Returns result, gradients and moved statistics of a training step."""

    @tf.function(jit_compile=jit_compile)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = layer(x, training=True)
            loss = tf.reduce_sum(result**3)
        sources = [x, *[variable.value for variable in layer.trainable_variables]]
        return [result, *tape.gradient(loss, sources)]

    return [*step(x), *layer.non_trainable_variables]


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("settings", [{}, {"scale": False}, {"center": False, "epsilon": 0.1}])
def test_a_training_step_is_that_of_keras(settings, jit_compile):
    x = tf.constant(3.0 + 2.0 * pictures(4, shape=SHAPE))
    plain, quick = pair(**settings)
    assert is_fused(quick, x)
    for one, other in zip(trained(plain, x, jit_compile), trained(quick, x, jit_compile), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_normalized_in_single_precision(dtype):
    x = tf.cast(100.0 * pictures(4, shape=SHAPE), dtype)
    plain, quick = (type(layer).from_config({**layer.get_config(), "dtype": dtype}) for layer in pair())
    one, other = plain(x, training=True), quick(x, training=True)
    assert one.dtype == other.dtype == dtype
    np.testing.assert_allclose(tf.cast(one, "float32"), tf.cast(other, "float32"), atol=0.02)
    np.testing.assert_allclose(plain.moving_variance, quick.moving_variance, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "shape"),
    [({}, (7,)), ({"axis": 1}, SHAPE), ({"synchronized": True}, SHAPE), ({"epsilon": 1e-7}, SHAPE)],
)
def test_what_the_operator_cannot_do_is_left_to_keras(settings, shape):
    x = tf.constant(pictures(4, shape=shape))
    plain, quick = (kind(**settings) for kind in (layers.BatchNormalization, QuickNormalization))
    assert not is_fused(quick, x)
    np.testing.assert_array_equal(plain(x, training=True), quick(x, training=True))
    np.testing.assert_array_equal(plain.moving_mean, quick.moving_mean)


def test_frozen_statistics_stay_and_are_used():
    x = tf.constant(pictures(4, shape=SHAPE))
    plain, quick = pair()
    before = quick.moving_mean.numpy(), quick.moving_variance.numpy()
    frozen = tf.function(lambda x, frozen: normalize(quick, x, frozen))
    np.testing.assert_allclose(frozen(x, tf.constant(True)), plain(x, training=False), atol=1e-5)
    np.testing.assert_array_equal(quick.moving_mean, before[0])
    np.testing.assert_array_equal(quick.moving_variance, before[1])
    np.testing.assert_allclose(frozen(x, tf.constant(False)), plain(x, training=True), atol=1e-5)
    assert np.all(quick.moving_mean.numpy() != before[0])


def test_a_quantized_model_trains_with_it_and_keeps_its_weights():
    model = keras.Sequential(
        [keras.Input(SHAPE), layers.Conv2D(4, 1), layers.BatchNormalization(name="norm"), layers.ReLU()]
    )
    model.get_layer("norm").gamma.assign([1.0, 2.0, 3.0, 4.0])
    norm = ks.quantize(model).get_layer("norm").layer
    assert isinstance(norm, QuickNormalization)
    assert norm.gamma.numpy().tolist() == [1.0, 2.0, 3.0, 4.0]
