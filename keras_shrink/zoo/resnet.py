"""ResNet for small pictures."""

import keras
from keras import layers

from keras_shrink.zoo.sizes import channels, repeats


def resnet8(input_shape=(32, 32, 3), classes=10, *, width=1.0, depth=1.0):
    """Returns the residual network of MLPerf Tiny's image classification.

    Three stacks of 16, 32 and 64 filters with one residual block each. With `depth=3` it is ResNet-20.

    Args:
        input_shape: `(height, width, channels)` of a picture; both sides divisible by 4.
        classes: Number of outputs.
        width: Factor on the filters, which stay multiples of 4.
        depth: Factor on the one block of each stack, rounded up.

    Example:
    >>> resnet8().count_params()
    78666

    Reference:
        He et al., 2015, arXiv:1512.03385; Banbury et al., 2021, arXiv:2106.07597.
    """
    inputs = keras.Input(input_shape, name="picture")
    stem = channels(16, width, multiple=4)
    x = _normalized(inputs, stem, 3, 1, "stem")
    x = layers.ReLU(name="stem_relu")(x)
    for stack, base in enumerate((16, 32, 64), 1):
        filters = channels(base, width, multiple=4)
        for block in range(1, repeats(1, depth) + 1):
            stride = 2 if stack > 1 and block == 1 else 1
            x = _block(x, filters, stride, f"stack{stack}_block{block}")
    x = layers.AveragePooling2D(x.shape[1:3], name="average")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(classes, activation="softmax", kernel_initializer="he_normal", name="scores")(x)
    return keras.Model(inputs, outputs, name="resnet8")


def _block(x, filters, stride, name):
    y = _normalized(x, filters, 3, stride, f"{name}_first")
    y = layers.ReLU(name=f"{name}_first_relu")(y)
    y = _normalized(y, filters, 3, 1, f"{name}_second")
    if stride != 1 or x.shape[-1] != filters:
        x = _convolution(x, filters, 1, stride, f"{name}_shortcut")
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.ReLU(name=f"{name}_relu")(x)


def _normalized(x, filters, size, stride, name):
    return layers.BatchNormalization(name=f"{name}_norm")(_convolution(x, filters, size, stride, name))


def _convolution(x, filters, size, stride, name):
    return layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(1e-4),
        name=name,
    )(x)
