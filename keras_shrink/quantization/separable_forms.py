"""Separable convolutions as the two operators that a device runs, rounded in between."""

import keras

from keras_shrink.weights import Transformed


@keras.saving.register_keras_serializable("keras_shrink")
class SeparableAsTwo(Transformed):
    """A SeparableConv1D or SeparableConv2D whose depthwise result is rounded before the pointwise step.

    The one layer of `inner` rounds it.
    """

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        layer = self.layer
        (between,) = self.inner
        depthwise = keras.ops.depthwise_conv(
            inputs,
            self.transformed("depthwise_kernel", training),
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
            data_format=layer.data_format,
        )
        result = keras.ops.conv(
            between(depthwise, training=training),
            self.transformed("pointwise_kernel", training),
            strides=1,
            padding="valid",
            data_format=layer.data_format,
        )
        if layer.use_bias:
            result = keras.ops.add(result, layer.bias)
        return layer.activation(result) if layer.activation is not None else result
