"""Small networks and data for the tests of this package."""

import keras
import numpy as np
from keras import layers


def residual_network(seed=0, *, activation="softmax"):
    """A trained-looking network with every layer class that quantization knows."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 3), name="picture")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.BatchNormalization(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    y = layers.BatchNormalization(name="depthwise_norm")(y)
    y = layers.ReLU(6.0, name="depthwise_relu")(y)
    y = layers.Conv2D(8, 1, name="pointwise")(y)
    x = layers.Add(name="residual")([x, y])
    x = layers.ReLU(name="residual_relu")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.AveragePooling2D(2, name="average")(x)
    x = layers.Reshape((-1,), name="reshape")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    outputs = layers.Dense(5, activation=activation, name="scores")(x)
    model = keras.Model(inputs, outputs, name="residual_network")
    shake_normalization(model, seed)
    return model


def shake_normalization(model, seed=0):
    """Gives BatchNormalization layers statistics and scales as training would."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights(
                [
                    generator.uniform(0.5, 1.5, shape),
                    generator.normal(0, 0.3, shape),
                    generator.normal(0, 0.3, shape),
                    generator.uniform(0.5, 1.5, shape),
                ]
            )


def pictures(count=64, seed=0, shape=(8, 8, 3)):
    """Returns normal random pictures, float32."""
    return np.random.default_rng(seed).normal(0, 1, (count, *shape)).astype("float32")


def mobile_network(seed=0, *, spread=1.0, relu6=False):
    """A block of MobileNet; `spread` is how far channel ranges lie apart, in powers of ten.

    Channels are widened in one layer and narrowed in the next: the float outputs do not depend on it.
    """
    keras.utils.set_random_seed(seed)
    limit = 6.0 if relu6 else None
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="picture"),
            layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem"),
            layers.BatchNormalization(name="stem_norm"),
            layers.ReLU(limit, name="stem_relu"),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise"),
            layers.BatchNormalization(name="depthwise_norm"),
            layers.ReLU(limit, name="depthwise_relu"),
            layers.Conv2D(16, 1, name="pointwise"),
            layers.ReLU(limit, name="pointwise_relu"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dense(5, name="scores"),
        ],
        name="mobile_network",
    )
    shake_normalization(model, seed)
    generator = np.random.default_rng(seed)
    for norm, after in (("stem_norm", "depthwise"), ("depthwise_norm", "pointwise")):
        factors = 10 ** generator.uniform(-spread / 2, spread / 2, 16)
        for weight in (model.get_layer(norm).gamma, model.get_layer(norm).beta):
            weight.assign(weight * factors)
        kernel = model.get_layer(after).kernel
        kernel.assign(kernel / factors.reshape(-1, 1))
    return model
