"""The autoencoder for anomaly detection."""

import keras
from keras import layers

from keras_shrink.zoo.sizes import channels, repeats


def fc_autoencoder(features=640, *, code=8, width=1.0, depth=1.0):
    """Returns the fully connected autoencoder of MLPerf Tiny's anomaly detection.

    Args:
        features: Length of the vector that goes in and comes out.
        code: Units in the middle.
        width: Factor on the 128 units of the other hidden layers, which stay a multiple of 4.
        depth: Factor on the four layers before and after the middle, rounded up.

    Example:
    >>> fc_autoencoder().count_params()
    269992

    Reference:
        Koizumi et al., 2020, arXiv:2006.05822; Banbury et al., 2021, arXiv:2106.07597.
    """
    units = channels(128, width, multiple=4)
    side = [units] * repeats(4, depth)
    inputs = keras.Input((features,), name="features")
    x = inputs
    for position, count in enumerate([*side, code, *side], 1):
        x = layers.Dense(count, name=f"dense{position}")(x)
        x = layers.BatchNormalization(name=f"norm{position}")(x)
        x = layers.ReLU(name=f"relu{position}")(x)
    outputs = layers.Dense(features, name="reconstruction")(x)
    return keras.Model(inputs, outputs, name="fc_autoencoder")
