"""Layers that stand for bare operations, so that their results can be rounded."""

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("keras_shrink")
class Elementwise(keras.layers.Layer):
    """Stands for a bare operation such as `x + y` or `x * 0.5`.

    Args:
        kind: Name of a function of `keras.ops` of two arguments: `"add"`, `"multiply"`, ...
        constant: The other operand where there is only one tensor, a number or an array; an array is
            rounded like weights, with one scale. Defaults to None.
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
            constant = tf.constant(_on_grid(self.constant), operands[0].dtype)
            operands.insert(0 if self.constant_first else 1, constant)
        return getattr(keras.ops, self.kind)(*operands)

    def get_config(self):
        """All settings."""
        return {
            **super().get_config(),
            "kind": self.kind,
            "constant": None if self.constant is None else self.constant.tolist(),
            "constant_first": self.constant_first,
        }


def _on_grid(constant):
    """Returns a constant as the converter rounds it: a number is exact, an array has 255 levels."""
    wide = np.asarray(constant, np.float64)
    scale = np.abs(wide).max() / 127
    return np.round(wide / scale) * scale if wide.size > 1 and scale else wide


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

    def get_config(self):
        """Name and arguments."""
        return {**super().get_config(), "kind": self.kind, "arguments": self.arguments}


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
