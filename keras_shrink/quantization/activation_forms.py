"""Activations made of several integer operators, rounded between them."""

import keras

from keras_shrink.quantization.ranges import ActivationQuantizer, FixedRange

SIGMOID_RANGE = (0.0, 255 / 256)


@keras.saving.register_keras_serializable("keras_shrink")
class SigmoidGate(keras.layers.Layer):
    """`x * sigmoid(factor * x)`: SiLU with factor 1, GELU's approximation with 1.702.

    The approximation of GELU is at most 0.021 away from it (Hendrycks and Gimpel, 2016, arXiv:1606.08415).

    Args:
        factor: What `x` is multiplied with in the sigmoid. Defaults to 1.
        momentum: Of the range of the product `factor * x`.
    """

    def __init__(self, factor=1.0, *, momentum=0.99, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.momentum = factor, momentum
        self.product_range = (
            None if factor == 1 else ActivationQuantizer(momentum=momentum, name="product_range")
        )
        self.gate_range = FixedRange(*SIGMOID_RANGE, name="gate_range")

    def build(self, input_shape):
        """The parts exist from the start."""
        self.built = True

    def call(self, x, training=None):
        """Returns the gated input; same shape and dtype."""
        product = x if self.product_range is None else self.product_range(self.factor * x, training=training)
        return x * self.gate_range(keras.ops.sigmoid(product), training=training)

    def compute_output_spec(self, x, training=None):
        """As the input."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def get_config(self):
        """The factor and the momentum."""
        return {**super().get_config(), "factor": self.factor, "momentum": self.momentum}


@keras.saving.register_keras_serializable("keras_shrink")
class HardSigmoid(keras.layers.Layer):
    """`relu6(x + 3) / 6` with the sum rounded on its range of 0 to 6."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.sum_range = FixedRange(0.0, 6.0, name="sum_range")

    def build(self, input_shape):
        """The parts exist from the start."""
        self.built = True

    def call(self, x, training=None):
        """Returns the activation; same shape and dtype."""
        return self.sum_range(keras.ops.relu6(x + 3.0), training=training) * (1.0 / 6.0)

    def compute_output_spec(self, x, training=None):
        """As the input."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)
