"""Layers that stand for bare operations, so that their results can be rounded."""

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.quantization.device_arithmetic import Sums, Terms, brought, operands_on_device
from keras_shrink.quantization.integer_grid import Ends, Grid
from keras_shrink.weights import Transformed
from tflite_export.fixed_point import round_half_away


@keras.saving.register_keras_serializable("keras_shrink")
class Elementwise(keras.layers.Layer):
    """Stands for a bare operation such as `x + y` or `x * 0.5`.

    Args:
        kind: Name of a function of `keras.ops` of two arguments: `"add"`, `"multiply"`, ...
        constant: The other operand where there is only one tensor, a number or an array; an array is
            rounded like activations. Defaults to None.
        constant_first: Whether the constant is the left operand.
    """

    def __init__(self, kind, *, constant=None, constant_first=False, **kwargs):
        super().__init__(**kwargs)
        self.kind, self.constant_first = kind, constant_first
        self.constant = None if constant is None else keras.ops.convert_to_numpy(constant)

    def build(self, input_shape):
        """There is nothing to create."""
        self.built = True

    def call(self, inputs):
        """Returns the result for one tensor, or for a list of two."""
        operands = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if self.constant is not None:
            operands.insert(self._place, tf.constant(_on_grid(self.constant), operands[0].dtype))
        return getattr(keras.ops, self.kind)(*operands)

    @property
    def _place(self):
        return 0 if self.constant_first else 1

    def made_of(self, operands, grids):
        """Returns what a device adds or multiplies.

        Args:
            operands: The tensors.
            grids: Their grids.
        """
        operands, grids = list(operands), list(grids)
        if self.constant is not None:
            operands.insert(self._place, tf.constant(_on_grid(self.constant), tf.float32))
            grids.insert(self._place, Grid(Ends.holding(self.constant)))
        if self.kind == "multiply":
            return Sums.of_product(*grids)
        first, second = operands
        return Terms(first, -second if self.kind == "subtract" else second, tuple(grids))

    def get_config(self):
        """All settings."""
        return {
            **super().get_config(),
            "kind": self.kind,
            "constant": None if self.constant is None else self.constant.tolist(),
            "constant_first": self.constant_first,
        }


def _on_grid(constant):
    """Returns a constant as the converter rounds it: a number is exact, an array has 255 steps."""
    wide, ends = np.asarray(constant, np.float64), Ends.holding(constant)
    if wide.size == 1:
        return wide
    step = (ends.high - ends.low) / 255.0
    zero = round_half_away(-128.0 - ends.low / step)
    return (np.clip(round_half_away(wide / step) + zero, -128, 127) - zero) * float(np.float32(step))


@keras.saving.register_keras_serializable("keras_shrink")
class Applied(keras.layers.Layer):
    """Stands for a function of `keras.ops` on one or several tensors.

    Args:
        kind: Name of the function.
        arguments: Its other arguments by name, as plain values.

    Example:
    >>> Applied("mean", {"axis": [1]})(np.array([[1.0, 3.0]])).numpy()
    array([2.], dtype=float32)
    """

    def __init__(self, kind, arguments=None, **kwargs):
        super().__init__(**kwargs)
        self.kind, self.arguments = kind, dict(arguments or {})

    def build(self, input_shape):
        """There is nothing to create."""
        self.built = True

    def call(self, inputs):
        """Returns the result for one tensor, or for a list of several."""
        tensors = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        arguments = {
            name: tuple(value) if isinstance(value, list) else value for name, value in self.arguments.items()
        }
        return getattr(keras.ops, self.kind)(*tensors, **arguments)

    def made_of(self, operands, grids):
        """Returns what a device sums, as `Elementwise.made_of`."""
        if self.kind == "matmul":
            return Sums.of_product(*grids)
        if self.kind != "mean":
            return Sums(grids[0].step)
        shape = operands[0].shape
        return Sums.of_mean(
            grids[0], int(np.prod([shape[axis] for axis in np.ravel(self.arguments["axis"])]))
        )

    def get_config(self):
        """Name and arguments."""
        return {**super().get_config(), "kind": self.kind, "arguments": self.arguments}


@keras.saving.register_keras_serializable("keras_shrink")
class RoundedOperation(Transformed):
    """An `Elementwise` or `Applied` layer whose result is not on the grid of its input."""

    computes_as_device = True

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output before it is rounded."""
        result, device = super().run_layer(inputs, training, **kwargs), operands_on_device(self, training)
        if device is None:
            return result
        operands = inputs if isinstance(inputs, list | tuple) else [inputs]
        return brought(result, self.layer.made_of(operands, device.grids), device.target)


@keras.saving.register_keras_serializable("keras_shrink")
class Sliced(keras.layers.Layer):
    """Stands for `x[:, 1:]` and the like.

    Args:
        key: For each axis an index, or `[start, stop, step]` as of a slice.
    """

    def __init__(self, key, **kwargs):
        super().__init__(**kwargs)
        self.key = [part if isinstance(part, int) else list(part) for part in key]

    @classmethod
    def from_key(cls, key, rank, **kwargs):
        """Returns the layer for what stands in the brackets, a tuple of integers, slices and `...`."""
        whole = [[None, None, None]]
        parts = [part if isinstance(part, int) else _ends(part) for part in key]
        if Ellipsis in key:
            position = key.index(Ellipsis)
            parts[position : position + 1] = whole * (rank - len(key) + 1)
        return cls(parts, **kwargs)

    def build(self, input_shape):
        """There is nothing to create."""
        self.built = True

    def call(self, inputs):
        """Returns the slice."""
        return inputs[tuple(part if isinstance(part, int) else slice(*part) for part in self.key)]

    def get_config(self):
        """The key."""
        return {**super().get_config(), "key": self.key}


def _ends(part):
    return None if part is Ellipsis else [part.start, part.stop, part.step]
