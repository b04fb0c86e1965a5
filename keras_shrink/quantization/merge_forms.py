"""Merges of several tensors as chains of operators on two, rounded after each."""

import keras
import tensorflow as tf

from keras_shrink.quantization.depthwise_forms import depthwise
from keras_shrink.quantization.device_arithmetic import Sums, Terms, brought, operands_on_device, rounded
from keras_shrink.quantization.integer_grid import Grid
from keras_shrink.quantization.ranges import is_observing
from keras_shrink.weights import Transformed

_STEPS = {
    "Add": keras.ops.add,
    "Average": keras.ops.add,
    "Subtract": keras.ops.subtract,
    "Multiply": keras.ops.multiply,
}


@keras.saving.register_keras_serializable("keras_shrink")
class ChainedMerge(Transformed):
    """An Add, Average, Subtract or Multiply layer, two tensors at a time; an average is a scaled sum.

    The layers of `inner` round the results of all steps but the last.
    """

    computes_as_device = True

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        kind, on_device = type(self.layer).__name__, operands_on_device(self, training)
        result, grid = inputs[0], on_device and on_device.grids[0]
        ranges = iter(self.inner)
        for position, other in enumerate(inputs[1:], 1):
            made_of = on_device and _made_of(kind, (result, other), (grid, on_device.grids[position]))
            result = _STEPS[kind](result, other)
            if kind == "Average" or position < len(inputs) - 1:
                quantizer = next(ranges)
                result, grid = rounded(quantizer, result, made_of, training), Grid(quantizer)
            elif on_device:
                result = brought(result, made_of, on_device.target)
        if kind != "Average":
            return result
        share = 1.0 / len(inputs)
        if on_device is None:
            return result * share
        return brought(result * share, Sums.of_constant(grid, share), on_device.target)


def _made_of(kind, operands, grids):
    """Returns what a device adds or multiplies."""
    if kind == "Multiply":
        return Sums.of_product(*grids)
    first, second = operands
    return Terms(first, -second if kind == "Subtract" else second, grids)


@keras.saving.register_keras_serializable("keras_shrink")
class JoinedRanges(Transformed):
    """A Concatenate, Maximum or Minimum layer, whose inputs all have the scale of its output.

    An input that nobody else reads is rounded here for the first time. One that is read elsewhere
    has a scale of its own by then and is rounded again, to that of the output: on the device by a
    depthwise convolution by 1, since the converter knows no other way to change a scale. It takes equal
    operators for one, which cannot have two scales; so where other operators do the same to the tensor, a
    convolution has a number of its own, and is by as many steps of float32 above 1.

    Args:
        layer: The joining layer; the last of `outputs` rounds its output.
        again: Positions of the inputs that are rounded again, or pairs of position and number.
        **kwargs: As `Transformed`.
    """

    def __init__(self, layer, *, again=(), **kwargs):
        super().__init__(layer, **kwargs)
        self.again = dict((entry, 0) if isinstance(entry, int) else tuple(entry) for entry in again)

    def factor(self, position):
        """Returns what an input that is rounded again is multiplied with, a float32 number."""
        return 1.0 + self.again[position] * 2.0**-23

    @classmethod
    def planned(cls, layer, treatment, **parts):
        """The inputs to round again depend on the graph."""
        return cls(layer, again=treatment.again, **parts)

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        # In training the rounding of the output does it; the export needs to see where it happens.
        if not training and not is_observing():
            final = self.outputs_through[-1]
            inputs = [
                final(depthwise(x, self.factor(i), 0.0)) if i in self.again else x
                for i, x in enumerate(inputs)
            ]
        return super().run_layer(inputs, training, **kwargs)

    def get_config(self):
        """The positions travel along."""
        return {**super().get_config(), "again": [list(pair) for pair in self.again.items()]}


@keras.saving.register_keras_serializable("keras_shrink")
class NearestUpSampling(Transformed):
    """An UpSampling or RepeatVector layer, as one operator instead of a chain of copies."""

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        layer, sides = self.layer, inputs.shape
        if isinstance(layer, keras.layers.UpSampling2D):
            size = [side * factor for side, factor in zip(sides[1:3], layer.size, strict=True)]
            return tf.image.resize(inputs, size, method="nearest")
        steps = layer.n if isinstance(layer, keras.layers.RepeatVector) else layer.size * sides[1]
        rows = tf.reshape(inputs, [-1, 1 if sides.rank == 2 else sides[1], 1, sides[-1]])
        return tf.reshape(tf.image.resize(rows, [steps, 1], method="nearest"), [-1, steps, sides[-1]])
