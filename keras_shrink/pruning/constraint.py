"""The constraint that holds pruned weights at zero inside the train step.

Keras optimizers apply `variable.constraint` after each update, in the graph. The mask is a variable, so
changing it needs no new trace; the user's own constraint is applied first.
"""

import keras
import numpy as np
from keras import ops


class MaskConstraint(keras.constraints.Constraint):
    """Sets the weights that a mask leaves out to exactly zero after each optimizer update.

    Args:
        variable: The `keras.Variable` to hold.
        mask: Bool array of its shape: True where a weight is kept.
        surgery: The `Surgery` by which pruned weights live on in a copy and go on training, or None.
        increment: Function `(total, before, after) -> total` that is added up over updates, or None.

    Example:
    >>> variable = keras.Variable([1.0, 2.0])
    >>> MaskConstraint(variable, np.array([True, False]))(variable).numpy()
    array([1., 0.], dtype=float32)
    """

    def __init__(self, variable, mask, *, surgery=None, increment=None):
        self.variable = variable
        own = variable.constraint
        self.inner = own.inner if isinstance(own, MaskConstraint) else own
        value = read(variable)
        self.mask = _state(mask, "bool")
        self.dense = _state(value, variable.dtype) if surgery else None
        self.decay = surgery.decay if surgery else 0.0
        self.increment = increment
        self.total = _state(np.zeros(value.shape, np.float32), "float32") if increment else None
        self.before = _state(value, variable.dtype) if increment else None

    def __call__(self, weight):
        """Returns the weight (a tensor or variable) as the optimizer is to leave it."""
        after = ops.convert_to_tensor(weight)
        if self.total is not None:
            before, moved = ops.cast(self.before.value, "float32"), ops.cast(after, "float32")
            self.total.assign(self.increment(self.total.value, before, moved))
        if self.dense is not None:
            # The optimizer started from zero where the mask leaves out, so what it left there is its update.
            behind = self.dense.value * (1.0 - self.decay) + after
            after = ops.where(self.mask.value, after, behind)
        if self.inner is not None:
            after = self.inner(after)
        if self.dense is not None:
            self.dense.assign(after)
        held = ops.where(self.mask.value, after, ops.cast(0, after.dtype))
        if self.before is not None:
            self.before.assign(held)
        return held

    def apply(self):
        """Sets the weights that the mask leaves out to zero, and those that came back to their live value."""
        weights = self.live()
        held = ops.where(self.mask.value, weights, ops.cast(0, weights.dtype))
        self.variable.assign(held)
        if self.before is not None:
            self.before.assign(held)

    def live(self):
        """Returns the weights as a tensor, those that live on behind the mask included."""
        return ops.convert_to_tensor(self.variable if self.dense is None else self.dense)

    def moved(self):
        """Returns the total of the increments as a tensor."""
        return self.total.value

    def leak(self):
        """Returns whether a weight that the mask leaves out is not zero, as a tensor."""
        return ops.any(ops.logical_and(ops.logical_not(self.mask.value), self.variable.value != 0))

    def settle(self):
        """Forgets the weights behind the mask: from now on they cannot come back."""
        if self.dense is not None:
            self.dense.assign(self.variable.value)

    def get_config(self):
        """Returns nothing: masks are made again from the zeros of a loaded model."""
        return {}


def read(variable):
    """Returns the value of a variable as a NumPy array; under a strategy, the first replica's.

    Example:
    >>> read(keras.Variable([1.0, 2.0]))
    array([1., 2.], dtype=float32)
    """
    return variable.value.numpy()


def _state(value, dtype):
    """Returns a variable that belongs to no layer, so that it is neither trained nor saved."""
    return keras.Variable(value, trainable=False, dtype=dtype, aggregation="only_first_replica")


def distribution_scope(model):
    """Returns the context in which variables beside those of the model have to be made.

    Args:
        model: A Keras model; under `tf.distribute` its strategy's scope is returned.

    Example:
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> with distribution_scope(model):
    ...     variable = keras.Variable(0.0)
    """
    import contextlib

    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy is not None else contextlib.nullcontext()


def retrace(model):
    """Makes the next training step of a model see constraints and regularizers set since the last one.

    Args:
        model: A Keras model; one that was never compiled has nothing to do.

    Example:
    >>> retrace(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    """
    if getattr(model, "compiled", False) and hasattr(model, "make_train_function"):
        model.make_train_function(force=True)
