"""Merges of several tensors as chains of operators on two, rounded after each."""

import keras
import tensorflow as tf

from keras_shrink.quantization.depthwise_forms import depthwise
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

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        kind = type(self.layer).__name__
        result = inputs[0]
        rounding = iter(self.inner)
        for position, other in enumerate(inputs[1:], 1):
            result = _STEPS[kind](result, other)
            if kind == "Average" or position < len(inputs) - 1:
                result = next(rounding)(result, training=training)
        return result * (1.0 / len(inputs)) if kind == "Average" else result


@keras.saving.register_keras_serializable("keras_shrink")
class JoinedRanges(Transformed):
    """A Concatenate, Maximum or Minimum layer, whose inputs all have the scale of its output.

    An input that nobody else reads is rounded here for the first time. One that is read elsewhere
    has a scale of its own by then and is rounded again, to that of the output: on the device by a
    depthwise convolution by 1, since the converter knows no other way to change a scale.

    Args:
        layer: The joining layer; the last of `outputs` rounds its output.
        again: Positions of the inputs that are rounded again.
        **kwargs: As `Transformed`.
    """

    def __init__(self, layer, *, again=(), **kwargs):
        super().__init__(layer, **kwargs)
        self.again = tuple(again)

    @classmethod
    def planned(cls, layer, treatment, **parts):
        """The inputs to round again depend on the graph."""
        return cls(layer, again=treatment.again, **parts)

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        # In training the rounding of the output does it; the export needs to see where it happens.
        if not training and not is_observing():
            final = self.outputs_through[-1]
            inputs = [final(depthwise(x, 1.0, 0.0)) if i in self.again else x for i, x in enumerate(inputs)]
        return super().run_layer(inputs, training, **kwargs)

    def get_config(self):
        """The positions travel along."""
        return {**super().get_config(), "again": list(self.again)}


@keras.saving.register_keras_serializable("keras_shrink")
class NearestUpSampling(Transformed):
    """An UpSampling layer that repeats values, as one operator instead of a chain of copies."""

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        flat = inputs.shape.rank == 3
        image = inputs[:, :, tf.newaxis] if flat else inputs
        size = (self.layer.size, 1) if flat else self.layer.size
        shape = [side * factor for side, factor in zip(image.shape[1:3], size, strict=True)]
        result = tf.image.resize(image, shape, method="nearest")
        return result[:, :, 0] if flat else result


@keras.saving.register_keras_serializable("keras_shrink")
class Elementwise(keras.layers.Layer):
    """Stands for a bare operation such as `x + y` or `x * 0.5`, so that its result can be rounded.

    Args:
        kind: Name of a function of `keras.ops` of two arguments: `"add"`, `"multiply"`, ...
        constant: The other operand where there is only one tensor, a number. Defaults to None.
        constant_first: Whether the constant is the left operand.
    """

    def __init__(self, kind, *, constant=None, constant_first=False, **kwargs):
        super().__init__(**kwargs)
        self.kind, self.constant, self.constant_first = kind, constant, constant_first

    def build(self, input_shape):
        """There is nothing to create."""
        self.built = True

    def call(self, inputs):
        """Returns the result for one tensor, or for a list of two."""
        operands = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if self.constant is not None:
            operands.insert(0 if self.constant_first else 1, self.constant)
        return getattr(keras.ops, self.kind)(*operands)

    def get_config(self):
        """All settings."""
        return {
            **super().get_config(),
            "kind": self.kind,
            "constant": self.constant,
            "constant_first": self.constant_first,
        }
