"""Kernels held by masks, read and written together.

Ranking runs on the CPU in NumPy, once per update. What would cost is one call of the framework per kernel
and direction, so all kernels are read in one call and written in one.
"""

import numpy as np
import tensorflow as tf
from keras import ops

from keras_shrink.pruning.constraint import MaskConstraint, read

_EAGER_CALLS = 2  # tracing pays only for what is called often


class Held:
    """Kernels, the constraints that hold them, and their masks.

    Args:
        kernels: List of `select.Kernel`.
        constraints: The `MaskConstraint` of each.
        ranked_by: Function `constraint -> tensor` of the kernel's shape: what `values` reads.

    Attributes:
        masks: List of bool arrays: True where a weight is kept.

    Example:
    >>> Held([], []).masks
    []
    """

    def __init__(self, kernels, constraints, ranked_by=MaskConstraint.live):
        self.kernels = kernels
        self.constraints = constraints
        self.names = [kernel.name for kernel in kernels]
        self.axes = [(kernel.input_axis, kernel.output_axis) for kernel in kernels]
        self.shapes = [tuple(kernel.variable.shape) for kernel in kernels]
        self.masks = [read(constraint.mask) for constraint in constraints]
        self._ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        self._ranked_by = ranked_by
        self._fetch = _traced_later(self._gather)
        self._store = _traced_later(self._scatter, tf.TensorSpec(None, tf.bool))

    def values(self):
        """Returns what the kernels are ranked by, as a list of float32 arrays."""
        parts = np.split(self._fetch().numpy(), self._ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def leaks(self):
        """Returns whether a weight that the masks leave out is not zero."""
        return any(bool(constraint.leak()) for constraint in self.constraints)

    def keep(self, masks):
        """Makes `masks` the masks; weights follow at once, those that came back with their live value."""
        self.masks = list(masks)
        self._store(tf.constant(np.concatenate([mask.ravel() for mask in masks])))

    def apply(self):
        """Sets the weights that the masks leave out to zero."""
        for constraint in self.constraints:
            constraint.apply()

    def kept_and_sizes(self):
        """Returns `(name, weights kept, weights)` for each kernel."""
        return [
            (name, int(np.count_nonzero(mask)), mask.size)
            for name, mask in zip(self.names, self.masks, strict=True)
        ]

    def _gather(self):
        values = [self._ranked_by(constraint) for constraint in self.constraints]
        wanted = [ops.reshape(ops.cast(value, "float32"), (-1,)) for value in values]
        return tf.concat(wanted, axis=0)

    def _scatter(self, flat):
        sizes = np.diff(self._ends, prepend=0)
        for constraint, part, shape in zip(self.constraints, tf.split(flat, sizes), self.shapes, strict=True):
            constraint.mask.assign(tf.reshape(part, shape))
            constraint.apply()


def _traced_later(function, *signature):
    calls = 0
    traced = None

    def call(*arguments):
        nonlocal calls, traced
        calls += 1
        if calls <= _EAGER_CALLS:
            return function(*arguments)
        if traced is None:
            traced = tf.function(function, autograph=False).get_concrete_function(*signature)
        return traced(*arguments)

    return call
