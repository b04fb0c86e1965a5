"""Training of an integer model with the original as its teacher, in pieces that survive a kill."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_shrink.checks import check_count
from keras_shrink.distillation.distiller import Distiller
from keras_shrink.distillation.outputs import OutputMatching, SoftTargets
from keras_shrink.quantization.ranges import FixedRange
from keras_shrink.taps import replaced
from keras_shrink.weights import Transformed
from keras_shrink.whole_file import write_whole


@dataclass(frozen=True)
class Training:
    """How a model recovers after a step: distillation from the original, computed with integers.

    Attributes:
        epochs: After each step.
        final_epochs: At the end, once everything fits; kept if it made the model better.
        batch_size: Samples a step.
        learning_rate: Of Adam at the start; it falls to nothing along a cosine.
        temperature: Of the teacher's answers.
        label_weight: Factor of the loss of the labels; the teacher's answers count 1.
        loss: For `compile`. None for what the model was compiled with, else for the cross-entropy that suits
            the labels.
        augment: None; `"pictures"` for mirroring and shifts by an eighth of the side; `"shifts"` without
            mirroring; or a function `(inputs, generator) -> inputs` of a batch of arrays.

    Raises:
        ValueError: If a value is out of range.

    Example:
    >>> Training(epochs=2).batch_size
    64
    """

    epochs: int = 3
    final_epochs: int = 0
    batch_size: int = 64
    learning_rate: float = 1e-3
    temperature: float = 4.0
    label_weight: float = 0.3
    loss: Any = None
    augment: str | Callable | None = None

    def __post_init__(self):
        """Checks the settings."""
        check_count("batch_size", self.batch_size)
        for name in ("epochs", "final_epochs"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} must be an integer from 0. Received: {name}={value!r}.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0. Received: learning_rate={self.learning_rate}.")
        if not (self.augment is None or callable(self.augment) or self.augment in _AUGMENTATIONS):
            raise ValueError(
                f"augment must be None, one of {', '.join(_AUGMENTATIONS)}, or a function "
                f"(inputs, generator) -> inputs. Received: augment={self.augment!r}."
            )

    def settled(self, model, labels) -> Training:
        """Returns the settings with a loss: what the model was compiled with, else what suits the labels."""
        if self.loss is not None:
            return self
        loss = getattr(model, "loss", None)
        if loss is None:
            width = model.outputs[0].shape[-1]
            one_hot = np.shape(labels)[-1:] == (width,) and np.ndim(labels) == len(model.outputs[0].shape)
            loss = "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"
            loss = "binary_crossentropy" if width == 1 else loss
        return dataclasses.replace(self, loss=loss)


def shifted(inputs, generator):
    """Returns pictures `(samples, rows, columns, channels)` moved by up to an eighth of their sides."""
    rows, columns = inputs.shape[1:3]
    down, right = max(1, rows // 8), max(1, columns // 8)
    padded = np.pad(inputs, ((0, 0), (down, down), (right, right), (0, 0)))
    top = generator.integers(0, 2 * down + 1, len(inputs))[:, None] + np.arange(rows)
    left = generator.integers(0, 2 * right + 1, len(inputs))[:, None] + np.arange(columns)
    return padded[np.arange(len(inputs))[:, None, None], top[:, :, None], left[:, None, :]]


def mirrored_and_shifted(inputs, generator):
    """Returns pictures moved by up to an eighth of their sides, half of them mirrored."""
    inputs = shifted(inputs, generator)
    mirrored = generator.random(len(inputs)) < 0.5
    inputs[mirrored] = inputs[mirrored, :, ::-1]
    return inputs


_AUGMENTATIONS = {"pictures": mirrored_and_shifted, "shifts": shifted}


class Lessons(keras.utils.PyDataset):
    """The batches of one epoch, in an order that the seed decides."""

    def __init__(self, train, batch_size, augment, seed):
        super().__init__()
        self.inputs, self.labels = train
        self.batch_size = min(batch_size, len(self.labels))
        self.augment = _AUGMENTATIONS.get(augment, augment) if isinstance(augment, str) else augment
        self.seed = seed
        self.order = np.random.default_rng(seed).permutation(len(self.labels))

    def __len__(self):
        return len(self.labels) // self.batch_size

    def __getitem__(self, index):
        rows = self.order[index * self.batch_size :][: self.batch_size]
        inputs = keras.tree.map_structure(lambda array: array[rows], self.inputs)
        if self.augment is not None:
            inputs = self.augment(inputs, np.random.default_rng((*self.seed, index)))
        return keras.tree.map_structure(_as_float, inputs), self.labels[rows]


def _as_float(array):
    return array.astype("float32") if array.dtype == np.uint8 else array


class Pieces:
    """Training of one integer model, epoch by epoch, with its state in a file.

    Args:
        integer: The model to train; it is changed.
        teacher: The original.
        settings: `Training` with a loss.
        train: A pair `(inputs, labels)`.
        seed: Tuple of integers; order, augmentation and dropout follow from it.
        path: Where the state is kept after each epoch.
    """

    def __init__(self, integer, teacher, settings: Training, train, *, seed, path):
        self.integer, self.settings, self.train, self.seed = integer, settings, train, seed
        self.path = Path(path)
        steps = settings.epochs * len(Lessons(train, settings.batch_size, None, seed))
        rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, max(steps, 1))
        self.distiller = Distiller(
            integer, teacher, objective_for(teacher, settings), label_weight=settings.label_weight
        )
        self.distiller.compile(keras.optimizers.Adam(rate), settings.loss, jit_compile=False)
        self.distiller.optimizer.build(self.distiller.trainable_variables)

    def run(self, watch=lambda epochs: epochs):
        """Trains the epochs that are left; `watch` goes around the numbers of the epochs."""
        done = self._restore()
        for epoch in watch(range(done, self.settings.epochs)):
            keras.utils.set_random_seed(hash((*self.seed, epoch)) % (1 << 31))
            lessons = Lessons(
                self.train, self.settings.batch_size, self.settings.augment, (*self.seed, epoch)
            )
            with replaced(output_roundings(self.integer), _off_in_training):
                self.distiller.fit(lessons, epochs=1, verbose=0, shuffle=False)
            self._keep(epoch + 1)

    def _variables(self):
        return [*self.integer.variables, *self.distiller.optimizer.variables]

    def _keep(self, epochs):
        values = [keras.ops.convert_to_numpy(variable) for variable in self._variables()]
        write_whole(self.path, lambda waiting: np.savez(waiting, *values, epochs=epochs, seed=self.seed))

    def _restore(self):
        """Returns how many epochs are done, with the variables as they were then."""
        if not self.path.exists():
            return 0
        with np.load(self.path) as stored:
            if tuple(stored["seed"].tolist()) != tuple(self.seed):
                return 0
            for number, variable in enumerate(self._variables()):
                variable.assign(stored[f"arr_{number}"])
            return int(stored["epochs"])


def objective_for(teacher, settings: Training):
    """Returns what the student learns of the teacher: probabilities where it gives classes, else numbers."""
    widths = {tensor.shape[-1] for tensor in teacher.outputs}
    ends = {_activation_of(tensor._keras_history.operation) for tensor in teacher.outputs}
    loss = settings.loss if isinstance(settings.loss, str) else type(settings.loss).__name__
    if not ends <= {"softmax", "sigmoid"} and "crossentropy" not in loss.lower():
        return OutputMatching()
    kind = "sigmoid" if ends == {"sigmoid"} or widths == {1} else "auto"
    return SoftTargets(settings.temperature, kind=kind)


def _activation_of(layer):
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", "")


def output_roundings(integer):
    """Returns the roundings of probabilities at the outputs: one that rounds to zero has no logarithm."""
    ends = [tensor._keras_history.operation for tensor in integer.outputs]
    wrappers = [layer for layer in ends if isinstance(layer, Transformed) and layer.outputs_through]
    return [wrapper.outputs_through[-1] for wrapper in wrappers
            if isinstance(wrapper.outputs_through[-1], FixedRange)]  # fmt: skip


def _off_in_training(_, call):
    def rounding(x, training=None):
        return x if training else call(x, training=training)

    return rounding


def changed(settings: Training, **changes) -> Training:
    """Returns the settings with some replaced; None leaves one as it is."""
    return dataclasses.replace(settings, **{k: v for k, v in changes.items() if v is not None})
