"""Depthwise separable networks for keyword spotting."""

import keras
from keras import layers

from keras_shrink.zoo.sizes import channels, repeats

# size -> filters, separable blocks, strides of the first convolution, stride of the first block
_SIZES = {"S": (64, 4, (2, 2), 1), "M": (172, 4, (2, 1), 2), "L": (276, 5, (2, 1), 2)}


def ds_cnn(size="S", input_shape=(49, 10, 1), classes=12, *, width=1.0, depth=1.0):
    """Returns a depthwise separable network for spectrograms.

    Size S is the network of MLPerf Tiny's keyword spotting, with its dropout.

    Args:
        size: `"S"`, `"M"` or `"L"`: 64, 172 or 276 filters.
        input_shape: `(frames, coefficients, 1)`.
        classes: Number of outputs.
        width: Factor on the filters, which stay multiples of 4.
        depth: Factor on the number of separable blocks, rounded up.

    Raises:
        ValueError: If `size` is unknown.

    Example:
    >>> ds_cnn("S").count_params()
    24908

    Reference:
        Zhang et al., 2017, arXiv:1711.07128; Banbury et al., 2021, arXiv:2106.07597.
    """
    if size not in _SIZES:
        raise ValueError(f"size must be one of {', '.join(_SIZES)}. Received: size={size!r}.")
    base, blocks, strides, block_stride = _SIZES[size]
    filters = channels(base, width, multiple=4)
    inputs = keras.Input(input_shape, name="spectrogram")
    x = layers.Conv2D(
        filters, (10, 4), strides=strides, padding="same", kernel_regularizer=_decay(), name="stem"
    )(inputs)
    x = _activated(x, "stem")
    x = layers.Dropout(0.2, name="stem_dropout")(x)
    for block in range(1, repeats(blocks, depth) + 1):
        stride = block_stride if block == 1 else 1
        x = layers.DepthwiseConv2D(
            3,
            strides=stride,
            padding="same",
            depthwise_regularizer=_decay(),
            name=f"block{block}_depthwise",
        )(x)
        x = _activated(x, f"block{block}_depthwise")
        x = layers.Conv2D(
            filters, 1, padding="same", kernel_regularizer=_decay(), name=f"block{block}_pointwise"
        )(x)
        x = _activated(x, f"block{block}_pointwise")
    x = layers.Dropout(0.4, name="dropout")(x)
    x = layers.AveragePooling2D(x.shape[1:3], name="average")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(classes, activation="softmax", name="scores")(x)
    return keras.Model(inputs, outputs, name=f"ds_cnn_{size.lower()}")


def _activated(x, name):
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(x))


def _decay():
    return keras.regularizers.L2(1e-4)
