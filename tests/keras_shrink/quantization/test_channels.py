import keras
import numpy as np
import pytest
from keras import layers

from keras_shrink.quantization.channels import ChannelAxes, input_channels, output_channels

LAYERS = [
    ((8, 6), layers.Conv1D(4, 3)),
    ((8, 8, 6), layers.Conv2D(4, 3)),
    ((8, 6), layers.DepthwiseConv1D(3, depth_multiplier=2)),
    ((8, 8, 6), layers.DepthwiseConv2D(3, depth_multiplier=2)),
    ((8, 6), layers.Conv1DTranspose(4, 3)),
    ((8, 8, 6), layers.Conv2DTranspose(4, 3)),
    ((8, 6), layers.SeparableConv1D(4, 3)),
    ((8, 8, 6), layers.SeparableConv2D(4, 3)),
    ((6,), layers.Dense(4)),
]


@pytest.mark.parametrize(("shape", "layer"), LAYERS, ids=lambda value: type(value).__name__)
def test_scaling_a_channel_scales_it_in_the_layer(shape, layer):
    layer = layer.__class__.from_config({**layer.get_config(), "use_bias": False})
    model = keras.Sequential([keras.Input(shape), layer])
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    before = model(x).numpy()
    outputs, inputs = output_channels(layer), input_channels(layer)
    factors = np.arange(1.0, before.shape[-1] + 1)
    weight = getattr(layer, outputs.weight)
    kept = weight.numpy()
    weight.assign(outputs.scaled(kept, factors))
    np.testing.assert_allclose(model(x), before * factors, rtol=1e-4, atol=1e-5)
    weight.assign(kept)
    factors = np.arange(1.0, 7)
    weight = getattr(layer, inputs.weight)
    weight.assign(inputs.scaled(weight.numpy(), 1 / factors))
    np.testing.assert_allclose(model(x * factors.astype("float32")), before, rtol=1e-3, atol=1e-4)


def test_unknown_layers_and_inputs_of_groups_have_no_channels():
    assert output_channels(layers.ReLU()) is None
    assert input_channels(layers.Conv2D(4, 3, groups=2)) is None


def test_the_largest_weight_of_each_channel():
    kernel = np.arange(-6.0, 6).reshape(3, 2, 2)
    np.testing.assert_array_equal(ChannelAxes("kernel", (-2, -1)).largest(kernel), [6, 5, 4, 5])
