"""Separable convolutions as the two operators that a device runs, rounded in between."""

import keras
import tensorflow as tf

from keras_shrink.quantization.device_arithmetic import Sums, operands_on_device, rescaled, rounded
from keras_shrink.quantization.integer_grid import Grid
from keras_shrink.weights import Transformed


@keras.saving.register_keras_serializable("keras_shrink")
class SeparableAsTwo(Transformed):
    """A SeparableConv1D or SeparableConv2D whose depthwise result is rounded before the pointwise step.

    The one layer of `inner` rounds it.
    """

    computes_as_device = True

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        layer, (between,) = self.layer, self.inner
        device = operands_on_device(self, training)
        kernels = [self.transformed(f"{name}_kernel", training) for name in ("depthwise", "pointwise")]
        depthwise = keras.ops.depthwise_conv(
            inputs,
            kernels[0],
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
            data_format=layer.data_format,
        )
        sums = (
            None if device is None else Sums.of_kernel(device.grids[0], self, "depthwise_kernel", kernels[0])
        )
        result = keras.ops.conv(
            rounded(between, depthwise, sums, training),
            kernels[1],
            strides=1,
            padding="valid",
            data_format=layer.data_format,
        )
        bias = tf.convert_to_tensor(layer.bias) if layer.use_bias else 0.0
        if layer.use_bias:
            result = keras.ops.add(result, layer.bias)
        if device is not None and device.target is not None:
            sums = Sums.of_kernel(Grid(between), self, "pointwise_kernel", kernels[1], bias)
            result = rescaled(result, sums, device.target)
        return layer.activation(result) if layer.activation is not None else result
