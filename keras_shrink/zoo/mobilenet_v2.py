"""MobileNet, second version."""

import keras
from keras import layers

from keras_shrink.zoo.inverted_residual import classified, inverted_residual, normalized, picture_input, stem
from keras_shrink.zoo.sizes import channels, repeats

# expansion, filters, repeats, stride of the first block
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(input_shape=(96, 96, 3), classes=10, *, width=0.35, depth=1.0):
    """Returns a MobileNetV2.

    Args:
        input_shape: `(height, width, channels)` of a picture.
        classes: Number of outputs.
        width: Factor on the filters, which stay multiples of 8; the last 1280 are never made fewer.
        depth: Factor on the repeats of each stage, rounded up.

    Example:
    >>> mobilenet_v2((224, 224, 3), 1000, width=1.0).count_params()
    3538984

    Reference:
        Sandler et al., 2018, arXiv:1801.04381.
    """
    inputs = picture_input(input_shape)
    x = stem(inputs, channels(32, width), "relu6")
    block = 0
    for expansion, base, count, first_stride in _STAGES:
        for repeat in range(repeats(count, depth)):
            x = inverted_residual(
                x,
                channels(base, width),
                expanded=expansion * x.shape[-1],
                stride=first_stride if repeat == 0 else 1,
                name=f"block{(block := block + 1)}",
            )
    x = layers.Conv2D(channels(1280, max(1.0, width)), 1, use_bias=False, name="last")(x)
    x = normalized(x, "relu6", "last")
    return keras.Model(inputs, classified(x, classes, name="scores"), name="mobilenet_v2")
