"""Networks for microcontrollers, as functions that build untrained Keras models.

Each takes the shape of one input, the number of classes and, where it makes sense, `width` and
`depth` factors, which `keras_shrink.scale` sets together. The defaults are the published networks.
All outputs of classifiers are probabilities.
"""

from keras_shrink.zoo.autoencoder import fc_autoencoder
from keras_shrink.zoo.ds_cnn import ds_cnn
from keras_shrink.zoo.efficientnet_lite import efficientnet_lite0
from keras_shrink.zoo.mobilenet_v1 import mobilenet_v1
from keras_shrink.zoo.mobilenet_v2 import mobilenet_v2
from keras_shrink.zoo.mobilenet_v3 import mobilenet_v3_small
from keras_shrink.zoo.resnet import resnet8
from keras_shrink.zoo.transformer import tiny_transformer

__all__ = [
    "ds_cnn",
    "efficientnet_lite0",
    "fc_autoencoder",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "resnet8",
    "tiny_transformer",
]
