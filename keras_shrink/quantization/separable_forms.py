"""Separable convolutions as the two operators that a device runs, rounded in between."""

import keras

from keras_shrink.weights import Transformed


@keras.saving.register_keras_serializable("keras_shrink")
class SeparableAsTwo(Transformed):
    """A SeparableConv1D or SeparableConv2D whose depthwise result is rounded before the pointwise step.

    Args:
        layer: The separable convolution.
        between: The layer that rounds the depthwise result.
        **kwargs: As `Transformed`.
    """

    def __init__(self, layer, *, between=None, **kwargs):
        super().__init__(layer, **kwargs)
        self.between = between

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        layer = self.layer
        depthwise = keras.ops.depthwise_conv(
            inputs,
            self.transformed("depthwise_kernel", training),
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
            data_format=layer.data_format,
        )
        result = keras.ops.conv(
            self.between(depthwise, training=training),
            self.transformed("pointwise_kernel", training),
            strides=1,
            padding="valid",
            data_format=layer.data_format,
        )
        if layer.use_bias:
            result = keras.ops.add(result, layer.bias)
        return layer.activation(result) if layer.activation is not None else result

    def get_config(self):
        """What rounds in between travels along."""
        return {**super().get_config(), "between": keras.saving.serialize_keras_object(self.between)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Restores the rounding in between and the rest."""
        config = dict(config)
        between = keras.saving.deserialize_keras_object(config.pop("between"), custom_objects=custom_objects)
        return super().from_config({**config, "between": between}, custom_objects)
