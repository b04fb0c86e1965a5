"""What a student can learn from a teacher: the base of all objectives."""

from __future__ import annotations

import abc
import re

import keras


class Objective(keras.layers.Layer, abc.ABC):
    """A loss between values of the student and values of a teacher.

    It is a layer so that what it learns itself, such as a projection, is trained and saved with the
    `Distiller`. A new objective subclasses it, gives `compare`, and is registered for saving.

    Args:
        pairs: Mapping from a name in the student to a name in the teacher; None for all outputs in
            their order.
        weight: Factor of this loss in the sum.
        teacher: Index of the teacher to learn from, where there are several; None for the mean over
            all of them.
        name: Name of the loss in the logs; by default made of the class.

    Example:
    >>> @keras.saving.register_keras_serializable("docs")
    ... class SignMatching(Objective):
    ...     of_layers = True
    ...
    ...     def compare(self, student, teacher, key, mask=None):
    ...         return keras.ops.mean(keras.ops.relu(-student * keras.ops.sign(teacher)), axis=-1)
    >>> SignMatching({"block_1": "block_3"}).name
    'sign_matching'
    """

    of_layers = False
    """Whether pairs name layers; otherwise outputs."""

    def __init__(self, pairs=None, *, weight=1.0, teacher=None, name=None, **kwargs):
        name = name or re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        super().__init__(name=name, dtype="float32", **kwargs)
        if weight < 0:
            raise ValueError(f"weight must not be negative. Received: weight={weight}.")
        if self.of_layers and not pairs:
            raise ValueError(
                f"{type(self).__name__} needs layers to compare. Received: pairs={pairs!r}. "
                "Pass a mapping from the student's layers to the teacher's."
            )
        self.weight = float(weight)
        self.teacher = teacher
        self.pairs = None if pairs is None else {_name(k): _name(v) for k, v in dict(pairs).items()}
        self.built = True

    def prepare(self, key, student, teacher):
        """Makes ready for one pair of places, called once for each before training.

        Args:
            key: Identifies the pair.
            student: `Place` in the student.
            teacher: `Place` in the teacher.
        """

    @abc.abstractmethod
    def compare(self, student, teacher, key, mask=None):
        """Returns the loss of each sample, or of each position of each sample.

        Args:
            student: float32 tensor, shape `(batch, ...)`.
            teacher: float32 tensor, shape `(batch, ...)`; no gradient flows into it.
            key: The pair, as `prepare` was told.
            mask: bool tensor, shape `(batch, positions)`: which positions of a sequence count; or None.
        """

    def get_config(self):
        """Everything that the constructor takes."""
        config = super().get_config()
        del config["dtype"]  # losses are computed in float32 under every policy
        del config["trainable"]
        return {**config, "pairs": self.pairs, "weight": self.weight, "teacher": self.teacher}


def _name(place):
    return place.name if isinstance(place, keras.layers.Layer) else str(place)


def masked(values, mask):
    """Returns `(batch, positions, channels)` values with zeros where the mask is False."""
    if mask is None:
        return values
    mask = keras.ops.cast(mask, values.dtype)
    extra = len(values.shape) - len(mask.shape)
    return values * keras.ops.reshape(mask, (*keras.ops.shape(mask), *[1] * extra))


def choose(name, value, choices):
    """Returns `value` if it is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}. Received: {name}={value!r}.")
    return value
