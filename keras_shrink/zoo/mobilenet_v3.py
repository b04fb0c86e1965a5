"""MobileNet, third version, the small one."""

import keras
from keras import layers

from keras_shrink.zoo.inverted_residual import inverted_residual, normalized, picture_input, squeezed, stem
from keras_shrink.zoo.sizes import channels, repeats

# expanded channels, filters, kernel, stride, whether squeezed, activation
_BLOCKS = (
    (16, 16, 3, 2, True, "relu"),
    (72, 24, 3, 2, False, "relu"),
    (88, 24, 3, 1, False, "relu"),
    (96, 40, 5, 2, True, "hard_silu"),
    (240, 40, 5, 1, True, "hard_silu"),
    (240, 40, 5, 1, True, "hard_silu"),
    (120, 48, 5, 1, True, "hard_silu"),
    (144, 48, 5, 1, True, "hard_silu"),
    (288, 96, 5, 2, True, "hard_silu"),
    (576, 96, 5, 1, True, "hard_silu"),
    (576, 96, 5, 1, True, "hard_silu"),
)


def mobilenet_v3_small(input_shape=(224, 224, 3), classes=1000, *, width=1.0, depth=1.0):
    """Returns MobileNetV3-Small.

    Args:
        input_shape: `(height, width, channels)` of a picture.
        classes: Number of outputs.
        width: Factor on the filters, which stay multiples of 8; the last 1024 are never made fewer.
        depth: Factor on how often each block that keeps its shape is repeated, rounded up.

    Example:
    >>> mobilenet_v3_small().count_params()
    2554968

    Reference:
        Howard et al., 2019, arXiv:1905.02244.
    """
    inputs = picture_input(input_shape)
    x = stem(inputs, channels(16, width), "hard_silu")
    block = 0
    for expanded, base, kernel, stride, squeeze, activation in _BLOCKS:
        inside = channels(expanded, width)
        filters = channels(base, width)
        keeps_shape = stride == 1 and x.shape[-1] == filters
        for _ in range(repeats(1, depth) if keeps_shape else 1):
            x = inverted_residual(
                x,
                filters,
                expanded=inside,
                kernel=kernel,
                stride=stride,
                activation=activation,
                squeeze=squeezed(inside) if squeeze else 0,
                name=f"block{(block := block + 1)}",
            )
    x = layers.Conv2D(channels(6 * x.shape[-1]), 1, use_bias=False, name="last")(x)
    x = normalized(x, "hard_silu", "last")
    x = layers.GlobalAveragePooling2D(keepdims=True, name="average")(x)
    x = layers.Conv2D(channels(1024, max(1.0, width)), 1, name="head")(x)
    x = layers.Activation("hard_silu", name="head_hard_silu")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(classes, activation="softmax", name="scores")(x)
    return keras.Model(inputs, outputs, name="mobilenet_v3_small")
