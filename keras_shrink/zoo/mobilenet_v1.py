"""MobileNet, first version."""

import keras
from keras import layers

from keras_shrink.zoo.sizes import channels, repeats

# filters, stride and repeats of each stage of depthwise separable blocks
_STAGES = ((64, 1, 1), (128, 2, 1), (128, 1, 1), (256, 2, 1), (256, 1, 1), (512, 2, 1), (512, 1, 5))
_LAST = ((1024, 2, 1), (1024, 1, 1))


def mobilenet_v1(input_shape=(96, 96, 3), classes=2, *, width=0.25, depth=1.0):
    """Returns a MobileNet; the defaults are MLPerf Tiny's network for visual wake words.

    Args:
        input_shape: `(height, width, channels)` of a picture; both sides divisible by 32.
        classes: Number of outputs.
        width: Factor on the filters (the paper's alpha), which stay multiples of 8.
        depth: Factor on the repeats of each stage, rounded up.

    Example:
    >>> mobilenet_v1().count_params()
    221794

    Reference:
        Howard et al., 2017, arXiv:1704.04861; Banbury et al., 2021, arXiv:2106.07597.
    """
    inputs = keras.Input(input_shape, name="picture")
    x = layers.Conv2D(channels(32, width), 3, strides=2, padding="same", name="stem", **_settings())(inputs)
    x = _activated(x, "stem")
    block = 0
    for base, stride, count in (*_STAGES, *_LAST):
        for repeat in range(repeats(count, depth)):
            block += 1
            x = _separable(x, channels(base, width), stride if repeat == 0 else 1, f"block{block}")
    x = layers.AveragePooling2D(x.shape[1:3], name="average")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(classes, activation="softmax", name="scores")(x)
    return keras.Model(inputs, outputs, name="mobilenet_v1")


def _separable(x, filters, stride, name):
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same",
        depthwise_initializer="he_normal",
        depthwise_regularizer=keras.regularizers.L2(1e-4),
        name=f"{name}_depthwise",
    )(x)
    x = _activated(x, f"{name}_depthwise")
    x = layers.Conv2D(filters, 1, padding="same", name=f"{name}_pointwise", **_settings())(x)
    return _activated(x, f"{name}_pointwise")


def _activated(x, name):
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(x))


def _settings():
    return {"kernel_initializer": "he_normal", "kernel_regularizer": keras.regularizers.L2(1e-4)}
