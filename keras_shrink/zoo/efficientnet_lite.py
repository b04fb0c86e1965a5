"""EfficientNet without what small devices compute badly."""

import keras
from keras import layers

from keras_shrink.zoo.inverted_residual import classified, inverted_residual, normalized, picture_input, stem
from keras_shrink.zoo.sizes import channels, repeats

# expansion, kernel, filters, repeats, stride of the first block
_STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)


def efficientnet_lite0(input_shape=(224, 224, 3), classes=1000, *, width=1.0, depth=1.0):
    """Returns EfficientNet-Lite0: no squeeze-and-excite, ReLU6 instead of SiLU.

    Stem and last convolution keep their width, and the first and the last stage their depth,
    whatever the factors.

    Args:
        input_shape: `(height, width, channels)` of a picture.
        classes: Number of outputs.
        width: Factor on the filters, which stay multiples of 8.
        depth: Factor on the repeats of the stages between the first and the last, rounded up.

    Example:
    >>> efficientnet_lite0().count_params()
    4694024

    Reference:
        Tan and Le, 2019, arXiv:1905.11946; the Lite variant is of 2020 and has no paper.
    """
    inputs = picture_input(input_shape)
    x = stem(inputs, 32, "relu6")
    block = 0
    for stage, (expansion, kernel, base, count, first_stride) in enumerate(_STAGES):
        fixed = stage in (0, len(_STAGES) - 1)
        for repeat in range(count if fixed else repeats(count, depth)):
            x = inverted_residual(
                x,
                channels(base, width),
                expanded=expansion * x.shape[-1],
                kernel=kernel,
                stride=first_stride if repeat == 0 else 1,
                name=f"block{(block := block + 1)}",
            )
    x = layers.Conv2D(1280, 1, use_bias=False, name="last")(x)
    x = normalized(x, "relu6", "last")
    return keras.Model(inputs, classified(x, classes, name="scores"), name="efficientnet_lite0")
