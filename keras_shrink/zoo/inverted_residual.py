"""The inverted residual block, which MobileNetV2, MobileNetV3 and EfficientNet-Lite share."""

import keras
from keras import layers

from keras_shrink.zoo.sizes import channels


def inverted_residual(x, filters, *, expanded, kernel=3, stride=1, activation="relu6", squeeze=0, name):
    """Returns `x` expanded, filtered depthwise, projected and, where shapes allow, added to itself.

    Args:
        x: Keras tensor of shape `(batch, height, width, channels)`.
        filters: Channels of the result.
        expanded: Channels of the depthwise convolution; without expansion where they are those of `x`.
        kernel: Side of the depthwise kernel.
        stride: Of the depthwise convolution.
        activation: `"relu"`, `"relu6"` or `"hard_silu"`.
        squeeze: Channels of the squeeze-and-excite block; 0 for none.
        name: What the names of its layers start with.

    Reference:
        Sandler et al., 2018, arXiv:1801.04381; Howard et al., 2019, arXiv:1905.02244.
    """
    start = x
    if expanded != x.shape[-1]:
        x = layers.Conv2D(expanded, 1, use_bias=False, name=f"{name}_expand")(x)
        x = normalized(x, activation, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = normalized(x, activation, f"{name}_depthwise")
    if squeeze:
        x = _excited(x, squeeze, name)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project")(x)
    x = normalized(x, None, f"{name}_project")
    if stride == 1 and start.shape[-1] == filters:
        x = layers.Add(name=f"{name}_add")([start, x])
    return x


def normalized(x, activation, name):
    """Returns `x` through BatchNormalization and the activation, or no activation for None."""
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    if activation is None:
        return x
    if activation == "hard_silu":
        return layers.Activation(activation, name=f"{name}_hard_silu")(x)
    return layers.ReLU(6.0 if activation == "relu6" else None, name=f"{name}_{activation}")(x)


def classified(x, classes, *, name, dropout=0.2):
    """Returns the model's end: global average, dropout and probabilities."""
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(classes, activation="softmax", name=name)(x)


def stem(inputs, filters, activation):
    """Returns the first convolution, which halves both sides."""
    x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    return normalized(x, activation, "stem")


def _excited(x, squeeze, name):
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    gate = layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}_squeeze_reduce")(gate)
    gate = layers.Conv2D(x.shape[-1], 1, activation="hard_sigmoid", name=f"{name}_squeeze_expand")(gate)
    return layers.Multiply(name=f"{name}_excite")([x, gate])


def squeezed(expanded):
    """Returns the channels of a squeeze-and-excite block: a quarter, a multiple of 8."""
    return channels(expanded, 0.25)


def picture_input(input_shape):
    """Returns the Keras input of a network for pictures."""
    return keras.Input(input_shape, name="picture")
