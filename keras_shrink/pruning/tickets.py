"""Lottery tickets: weights remembered at a step of the training, and a pruned model sent back to them."""

import keras
import numpy as np

from keras_shrink.pruning.constraint import read
from keras_shrink.pruning.oneshot import copied, keep_zeros


class Snapshot(keras.callbacks.Callback):
    """Remembers the weights that a model has at a step of `fit`.

    Args:
        step: Step whose starting weights are wanted; 0 is the initialization. A late step (a few per mille
            of the training) is what works for larger networks. With `steps_per_execution` it is the first
            step at or after this one at which callbacks run.

    Attributes:
        weights: List of arrays as from `model.get_weights()`, or None before that step.

    Raises:
        ValueError: If `step` is negative.

    Example:
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> start = Snapshot(step=0)
    >>> history = model.fit(keras.ops.ones((4, 2)), keras.ops.ones((4, 1)), callbacks=[start], verbose=0)
    >>> len(start.weights)
    2

    Reference:
        Frankle et al., 2019, arXiv:1903.01611.
    """

    def __init__(self, step=0):
        super().__init__()
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            raise ValueError(f"step must be an integer of at least 0. Received: step={step!r}.")
        self.step = step
        self.weights = None
        self._seen = None
        self._before_epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Counts from the first step of epoch 0."""
        if self._seen is None:
            self._seen = epoch * (self.params.get("steps") or 0)
        self._before_epoch = self._seen

    def on_train_batch_begin(self, batch, logs=None):
        """Takes the snapshot when its step has come."""
        if self.weights is None and self._seen >= self.step:
            self.weights = [read(weight) for weight in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        """Counts the steps; with `steps_per_execution` several have passed."""
        self._seen = self._before_epoch + batch + 1


def rewind(model, to, *, layers=None):
    """Returns a copy of a pruned model with the weights that it had earlier, its zeros kept.

    The ticket of the lottery-ticket method: train, prune, rewind, train again. The zeros of the kernels
    stay zero while the copy trains. The optimizer starts afresh; where its learning rate follows a schedule,
    compile the copy with one that starts at the rewound step.

    Args:
        model: A pruned, built Keras model; it is not touched.
        to: A `Snapshot`, a list of arrays as from `get_weights()`, or a model that holds the weights.
        layers: Predicate, function, layer or list of layers whose zeros are kept; every layer with a kernel
            by default.

    Raises:
        ValueError: If the snapshot was never taken or the shapes differ.

    Example:
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> start = model.get_weights()
    >>> _ = model.layers[0].kernel.assign([[0.0], [2.0]])
    >>> ticket = rewind(model, start)
    >>> bool(ticket.get_weights()[0][0, 0] == 0)
    True

    Reference:
        Frankle and Carbin, 2019, arXiv:1803.03635; Frankle et al., 2019, arXiv:1903.01611.
    """
    from keras_shrink import select

    earlier = _arrays(to)
    there = [tuple(weight.shape) for weight in model.weights]
    if [array.shape for array in earlier] != there:
        raise ValueError(
            "The weights to rewind to are not those of this model. "
            f"Received: shapes {[array.shape for array in earlier]}, expected {there}."
        )
    ticket = copied(model)
    kernels = select.find_kernels(ticket, select.has_kernel if layers is None else layers)
    pruned = {id(kernel.variable): read(kernel.variable) == 0 for kernel in kernels}
    keep_zeros(ticket, layers=[kernel.layer for kernel in kernels])
    for variable, array in zip(ticket.weights, earlier, strict=True):
        variable.assign(np.where(pruned.get(id(variable), False), 0, array))
    return ticket


def _arrays(to):
    if isinstance(to, keras.Model):
        return [read(weight) for weight in to.weights]
    arrays = to.weights if isinstance(to, Snapshot) else to
    if arrays is None:
        raise ValueError(
            f"The snapshot was never taken: training ended before its step. Received: step={to.step}."
        )
    return [np.asarray(array) for array in arrays]
