"""Activations made of several integer operators, rounded between them."""

import math

import keras
import tensorflow as tf

from keras_shrink.quantization.depthwise_forms import depthwise
from keras_shrink.quantization.device_arithmetic import (
    Operands,
    Sums,
    Terms,
    added,
    log_softmax,
    operands_on_device,
    rescaled,
    rounded,
)
from keras_shrink.quantization.device_tables import looked_up
from keras_shrink.quantization.integer_grid import Ends, Grid
from keras_shrink.quantization.ranges import ActivationQuantizer, FixedRange
from keras_shrink.weights import Transformed

SIGMOID_RANGE = SOFTMAX_RANGE = (0.0, 255 / 256)
LOG_SOFTMAX_RANGE = (-15.9375, 0.0)
_SIXTH = 1.0 / 6.0
SELU = {"alpha": 1.6732632423543772, "gain": 1.0507009873554805}


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

    def on_grid(self, x, source, target):
        """Returns the gated input as the device rounds it.

        Args:
            x: float32, on its grid.
            source: The `Grid` of `x`.
            target: That of the result.
        """
        product, of_product = x, source
        if self.product_range is not None:
            of_product = Grid(self.product_range)
            sums = Sums.of_constant(source, self.factor)
            product = rounded(self.product_range, self.factor * x, sums, False)
        of_gate = Grid(self.gate_range)
        gate = looked_up("sigmoid", product, of_product, of_gate)
        return rescaled(x * gate, Sums.of_product(source, of_gate), target)

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
        return self.sum_range(keras.ops.relu6(x + 3.0), training=training) * _SIXTH

    def on_grid(self, x, source, target):
        """Returns the activation as the device rounds it; arguments as of `SigmoidGate.on_grid`."""
        three = tf.constant(3.0)
        sums = added(Terms(x, three, (source, Grid(Ends.holding(3.0)))), Grid(self.sum_range))
        sums = self.sum_range(sums, training=False)
        return rescaled(sums * _SIXTH, Sums.of_constant(Grid(self.sum_range), _SIXTH), target)

    def compute_output_spec(self, x, training=None):
        """As the input."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)


@keras.saving.register_keras_serializable("keras_shrink")
class SplitReLU6(keras.layers.Layer):
    """A ReLU6 behind an operator that takes in none: as the activation of a depthwise convolution by 1."""

    def build(self, input_shape):
        """There is nothing to create."""
        self.built = True

    def call(self, x, training=None):
        """Returns the activation; same shape and dtype."""
        return keras.ops.relu6(x if training else depthwise(x, 1.0, 0.0))

    def on_grid(self, x, source, target):
        """Returns the activation as the device rounds it; arguments as of `SigmoidGate.on_grid`."""
        return rescaled(keras.ops.relu6(x), Sums.of_factors(source, tf.constant(1.0)), target)

    def compute_output_spec(self, x, training=None):
        """As the input."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)


@keras.saving.register_keras_serializable("keras_shrink")
class Softplus(keras.layers.Layer):
    """`log(1 + exp(x))` as what a log softmax over `x` and 0 gives for the 0, negated.

    That operator's results lie in -15.94 to 0 in steps of 1/16, whatever `x` is.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.log_range = FixedRange(*LOG_SOFTMAX_RANGE, name="log_range")

    def build(self, input_shape):
        """The parts exist from the start."""
        self.built = True

    def call(self, x, training=None):
        """Returns the activation; same shape and dtype."""
        pairs = tf.pad(tf.reshape(x, [-1, math.prod(x.shape[1:]), 1]), [[0, 0], [0, 0], [0, 1]])
        logs = self.log_range(tf.nn.log_softmax(pairs), training=training)
        return -1.0 * tf.reshape(logs[..., 1], [-1, *x.shape[1:]])

    def on_grid(self, x, source, target):
        """Returns the activation as the device rounds it; arguments as of `SigmoidGate.on_grid`."""
        logs = log_softmax(tf.stack([x, tf.zeros_like(x)], axis=-1), source)[..., 1]
        return rescaled(-logs, Sums.of_constant(Grid(self.log_range), -1.0), target)

    def compute_output_spec(self, x, training=None):
        """As the input."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)


def scaled_elu(x, alpha, gain, roundings, training):
    """Returns `gain * (alpha * elu(x) + (1 - alpha) * relu(x))`, an ELU that tends to `-gain * alpha`.

    Args:
        x: Any tensor.
        alpha: What the curve tends to, negated.
        gain: What the result is multiplied with.
        roundings: `SCALED_ELU_RANGES` layers that round what is computed in between.
        training: As given to the roundings.
    """
    of_curve, of_scaled, of_line, of_rest = roundings
    curve = of_curve(tf.nn.elu(x), training=training)
    scaled = of_scaled(curve * (gain * alpha), training=training)
    # A bare ReLU would make the converter compute the operator before it a second time.
    line = of_line(tf.nn.relu(x if training else depthwise(x, 1.0, 0.0)), training=training)
    return scaled + of_rest(line * (gain * (1 - alpha)), training=training)


def scaled_elu_on_grid(x, alpha, gain, roundings, operands):
    """As `scaled_elu`, rounded as on the device; `operands` are the grids of `x` and of the result."""
    (source,), target = operands.grids, operands.target
    of_curve, of_scaled, of_line, of_rest = roundings
    curve = looked_up("elu", x, source, Grid(of_curve))
    factors = gain * alpha, gain * (1 - alpha)
    line = rounded(of_line, tf.nn.relu(x), Sums.of_factors(source, tf.constant(1.0)), False)
    parts = [
        rounded(quantizer, part * factor, Sums.of_constant(Grid(before), factor), False)
        for part, factor, before, quantizer in zip(
            (curve, line), factors, (of_curve, of_line), (of_scaled, of_rest), strict=True
        )
    ]
    return added(Terms(*parts, (Grid(of_scaled), Grid(of_rest))), target)


SCALED_ELU_RANGES = 4


@keras.saving.register_keras_serializable("keras_shrink")
class ScaledELU(keras.layers.Layer):
    """SELU, `1.0507 * elu(x)` with `alpha` 1.6733, in several operators.

    Args:
        momentum: Of the ranges inside.
    """

    def __init__(self, *, momentum=0.99, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.inner = [
            ActivationQuantizer(momentum=momentum, name=f"inner_range_{i}") for i in range(SCALED_ELU_RANGES)
        ]

    def build(self, input_shape):
        """The parts exist from the start."""
        self.built = True

    def call(self, x, training=None):
        """Returns the activation; same shape and dtype."""
        return scaled_elu(x, SELU["alpha"], SELU["gain"], self.inner, training)

    def on_grid(self, x, source, target):
        """Returns the activation as the device rounds it; arguments as of `SigmoidGate.on_grid`."""
        return scaled_elu_on_grid(x, SELU["alpha"], SELU["gain"], self.inner, Operands((source,), target))

    def compute_output_spec(self, x, training=None):
        """As the input."""
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def get_config(self):
        """The momentum."""
        return {**super().get_config(), "momentum": self.momentum}


@keras.saving.register_keras_serializable("keras_shrink")
class ELUInSteps(Transformed):
    """An ELU layer with another `alpha` than 1."""

    computes_as_device = True

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        device = operands_on_device(self, training)
        if device is not None:
            return scaled_elu_on_grid(inputs, self.layer.alpha, 1.0, self.inner, device)
        return scaled_elu(inputs, self.layer.alpha, 1.0, self.inner, training)


def composed_activation(name, momentum):
    """Returns the layer that computes an activation as several operators; None where one does it."""
    made = {
        "silu": lambda: SigmoidGate(momentum=momentum, name="gate"),
        "gelu": lambda: SigmoidGate(1.702, momentum=momentum, name="gate"),
        "hard_sigmoid": lambda: HardSigmoid(name="hard_sigmoid"),
        "softplus": lambda: Softplus(name="softplus"),
        "selu": lambda: ScaledELU(momentum=momentum, name="selu"),
        "relu6": lambda: SplitReLU6(name="relu6"),
    }.get(name)
    return None if made is None else made()
