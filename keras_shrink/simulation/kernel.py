"""The registry of operators, and what a kernel sees while it runs."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tflite_export.c.emit import Node, emitters

_KERNELS: dict[str, Callable] = {}


def simulates(*codes):
    """Registers the decorated function for operators.

    It takes a `tflite_export.c.emit.Node`, prepares what does not depend on data, and returns a function
    of an `Operands` that gives the output, or a sequence of outputs. It raises `UnsupportedError` with the
    reason where it cannot.

    Args:
        *codes: Schema names.

    Example:
    >>> from keras_shrink.simulation.kernel import simulates
    >>> @simulates("MY_IDENTITY")
    ... def my_identity(node):
    ...     return lambda operands: operands(0)
    """

    def register(function):
        for code in codes:
            _KERNELS[code] = function
        return function

    return register


def kernels() -> dict[str, Callable]:
    """Returns the registry, operator code -> function, with every module of `kernels` loaded.

    Example:
    >>> from keras_shrink.simulation.kernel import kernels
    >>> "CONV_2D" in kernels()
    True
    """
    from keras_shrink.simulation import kernels as folder

    for module in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"{folder.__name__}.{module.name}")
    return _KERNELS


def emitted(node: Node):
    """Returns what the same operator becomes in C: the parameters there are those that kernels here take."""
    return emitters()[node.op.code].function(node)


@dataclass
class Evaluation:
    """The values of one evaluation.

    Attributes:
        samples: How many invocations run side by side, a scalar tensor.
        tensors: Tensor index -> values, shape `(samples, *shape in the file)`, dtype as in the file.
        states: Key -> values of a variable, likewise.
    """

    samples: tf.Tensor
    tensors: dict[int, tf.Tensor] = field(default_factory=dict)
    states: dict[Any, tf.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Operands:
    """What one operator reads.

    Attributes:
        node: The operator.
        evaluation: The values so far.
    """

    node: Node
    evaluation: Evaluation

    def __call__(self, position):
        """Returns an input; for a constant the samples' dimension is 1."""
        values = self.node.constant(position)
        if values is None:
            return self.evaluation.tensors[self.node.op.inputs[position]]
        return tf.constant(np.ascontiguousarray(values)[None])

    def each(self, position):
        """Returns an input with as many samples as there are, also where it is constant."""
        value = self(position)
        if self.node.constant(position) is None:
            return value
        return self.for_each_sample(value[0])

    def for_each_sample(self, value):
        """Returns a value once for each sample."""
        value = tf.convert_to_tensor(value)
        return tf.broadcast_to(value, tf.concat([self.evaluation.samples[None], tf.shape(value)], 0))

    def aligned(self, position):
        """Returns an input with as many dimensions as output 0, ready to broadcast."""
        value, rank = self(position), len(self.node.output().shape)
        shape = self.node.input(position).shape
        return tf.reshape(value, (-1, *(1,) * (rank - len(shape)), *shape))
