"""Tensors that get their scale from a layer further on, or keep one: evaluation is that of the device."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.quantization.device_arithmetic import Sums
from keras_shrink.quantization.integer_grid import Grid, unchanging_grids
from keras_shrink.quantization.ranges import ActivationQuantizer
from tests.keras_shrink.device import on_device
from tests.keras_shrink.networks import pictures, shake_normalization
from tflite_export.affine import quantize_array


def convolved(x, **settings):
    return layers.Conv2D(4, 3, padding="same", **settings)(x)


def summed(x):
    return layers.Add()([convolved(x), convolved(x)])


def normalized(x):
    return layers.BatchNormalization()(convolved(x, use_bias=False))


def largest(x):
    return layers.MaxPooling2D(3, 1, padding="same")(x)


def averaged(x):
    return layers.AveragePooling2D(3, 1, padding="same")(x)


def joined(*parts):
    return layers.Concatenate()(parts)


def sums(x):
    means = layers.Average()([convolved(x), convolved(x), x])
    products = layers.Multiply()([convolved(x), convolved(x)])
    most = layers.Maximum()([summed(x), layers.Minimum()([summed(x), convolved(x)])])
    return joined(joined(summed(x), layers.Subtract()([convolved(x), x]), products, means), most)


def moved(x):
    cut = layers.ZeroPadding2D(1)(layers.Cropping2D(1)(summed(x)))
    grown = layers.UpSampling2D(2)(layers.MaxPooling2D(2)(layers.ReLU()(normalized(x))))
    means = averaged(convolved(x)), averaged(layers.ReLU()(summed(x))), averaged(normalized(x))
    return joined(cut, grown, layers.Permute((2, 1, 3))(convolved(x)), largest(summed(x)), *means)


def nested(x):
    first = joined(summed(x), convolved(x))
    second = joined(first, layers.ReLU()(layers.Add()([convolved(x), x])))
    return averaged(joined(second, layers.ReLU()(largest(first)), normalized(layers.ReLU()(second))))


def pooled(x):
    flat = layers.Flatten()(layers.MaxPooling2D(4)(convolved(x)))
    means = layers.GlobalAveragePooling2D()(convolved(x))
    return layers.Reshape((1, 1, -1))(joined(means, layers.GlobalMaxPooling2D()(summed(x)), flat))


def operations(x):
    y = convolved(x)
    return joined(y * 0.3, convolved(x) * convolved(x), layers.LeakyReLU()(convolved(x)), y)


def alone(x):
    y = joined(layers.ReLU(6.0)(largest(x)), summed(x), layers.BatchNormalization()(largest(x)))
    return layers.Add()([layers.ReLU(6.0)(largest(y)), layers.ReLU(6.0)(joined(y, x))[..., 4:]])


def twins(x):
    y = convolved(summed(x))
    return joined(convolved(layers.ReLU()(y)), convolved(layers.ReLU()(y)))


@pytest.mark.parametrize(
    "network", [sums, moved, nested, pooled, operations, alone, twins], ids=lambda f: f.__name__
)
def test_predictions_around_joins_are_the_integers_of_the_device(network):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 4))
    model = keras.Model(inputs, layers.Conv2D(4, 1)(network(inputs)))
    shake_normalization(model)
    x = pictures(256, shape=(8, 8, 4))
    model = ks.calibrate(model, x[:32])
    computed, output = on_device(model, x)
    shown, plain = (
        quantize_array(y, output).reshape(computed.shape)
        for y in (model.predict(x, verbose=0), np.asarray(model(x)))
    )
    np.testing.assert_array_equal(shown, computed)
    assert np.any(plain != computed)  # else this test could not fail


def test_biases_are_those_of_the_file():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(4000, bias_initializer="random_normal")])
    kernel, bias = model.layers[0].get_weights()
    model.layers[0].set_weights([kernel * 0.02, bias * 20.0])
    model = ks.calibrate(model, pictures(64, shape=(2,)))
    (wrapper,) = (layer for layer in model.layers if layer.name.startswith("dense"))
    quantizer = next(layer for layer in model.layers if hasattr(layer, "num_bits"))
    sums = Sums.of_kernel(Grid(quantizer), wrapper, "kernel", wrapper.transformed("kernel"), bias * 20.0)
    graph = te.convert(model).graph.main
    stored = graph.tensors[graph.ops[0].inputs[2]].data
    np.testing.assert_array_equal(np.asarray(sums.bias), stored)
    assert np.any(np.round(np.asarray(sums.offset / sums.step)) != stored)  # else this test could not fail


def test_halves_of_steps_round_as_on_the_device():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8,))
    first = layers.Concatenate(name="first")([layers.Dense(8)(inputs), layers.Dense(8)(inputs)])
    again = layers.Concatenate(name="again")([first, layers.Dense(2)(inputs)])
    ends = {"again": again, "relu": layers.ReLU(name="relu")(first)}
    x = pictures(256, shape=(8,))
    model = ks.calibrate(keras.Model(inputs, list(ends.values())), x)
    steps = {"first": (-3.84, 3.81), "again": (-2.56, 2.54), "relu": (0.0, 5.1)}
    for name, (low, high) in steps.items():
        model.get_layer(name).outputs_through[-1].set_range(low, high)
    shown, computed = model.predict(x, verbose=0), ks.simulate(model).predict(x, verbose=0)
    for name, real, device, plain in zip(ends, shown, computed, model(x), strict=True):
        np.testing.assert_allclose(real, device, atol=1e-5, err_msg=name)
        assert np.abs(np.asarray(plain) - device).max() > 0.01, name  # else this test could not fail


def test_a_graph_computes_the_step_of_a_range_once():
    quantizer = ActivationQuantizer()
    quantizer.set_range(-1.0, 2.0)

    @tf.function
    def steps():
        with unchanging_grids():
            begin = tf.constant(0), tf.constant(0.0, tf.float64)
            looped = tf.while_loop(lambda i, _: i < 2, lambda i, _: (i + 1, Grid(quantizer).step), begin)
            assert Grid(quantizer).step is Grid(quantizer).step
            return looped[1], Grid(quantizer).step

    inside, outside = steps()
    assert inside == outside
    quantizer.set_range(-1.0, 4.1)
    assert steps()[1] > 1.5 * outside
    with unchanging_grids():
        assert Grid(quantizer).step == steps()[1]
