"""A transformer small enough for a microcontroller."""

import keras
from keras import layers

from keras_shrink.zoo.sizes import channels, repeats


def tiny_transformer(input_shape=(49, 10), classes=12, *, width=1.0, depth=1.0, heads=2):
    """Returns a transformer encoder over a sequence of feature vectors.

    Each step is projected to 32 channels; a depthwise convolution added to that tells the steps'
    positions apart, as its zero padding does not let them look alike; two blocks of attention and a
    perceptron of two layers follow, normalized first; the mean over the steps is classified.

    Args:
        input_shape: `(steps, features)`.
        classes: Number of outputs.
        width: Factor on the 32 channels, which stay a multiple of 8.
        depth: Factor on the two blocks, rounded up.
        heads: Attention heads; they divide the channels.

    Raises:
        ValueError: If `heads` does not divide the channels.

    Example:
    >>> tiny_transformer().output_shape
    (None, 12)

    Reference:
        Vaswani et al., 2017, arXiv:1706.03762; positions as in Chu et al., 2021, arXiv:2102.10882.
    """
    size = channels(32, width)
    if heads < 1 or size % heads:
        raise ValueError(f"heads must divide the {size} channels. Received: heads={heads}. Take 1, 2 or 4.")
    inputs = keras.Input(input_shape, name="sequence")
    x = layers.Dense(size, name="project")(inputs)
    positions = layers.DepthwiseConv1D(7, padding="same", name="positions")(x)
    x = layers.Add(name="positions_add")([x, positions])
    for block in range(1, repeats(2, depth) + 1):
        x = _block(x, size, heads, f"block{block}")
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="average")(x)
    outputs = layers.Dense(classes, activation="softmax", name="scores")(x)
    return keras.Model(inputs, outputs, name="tiny_transformer")


def _block(x, size, heads, name):
    y = layers.LayerNormalization(name=f"{name}_attention_norm")(x)
    y = layers.MultiHeadAttention(heads, size // heads, name=f"{name}_attention")(y, y)
    x = layers.Add(name=f"{name}_attention_add")([x, y])
    y = layers.LayerNormalization(name=f"{name}_perceptron_norm")(x)
    y = layers.Dense(2 * size, activation="relu", name=f"{name}_widen")(y)
    y = layers.Dense(size, name=f"{name}_narrow")(y)
    return layers.Add(name=f"{name}_perceptron_add")([x, y])
