"""Teachers: models that are asked, never trained and never changed."""

from __future__ import annotations

import hashlib

import keras

from keras_shrink.distillation.places import Watched, knows_its_inputs
from keras_shrink.rebuild import rebuild


class Teachers:
    """Models and the places of them that a student learns from.

    Not a Keras object on purpose: what a Keras model holds becomes its own to train, freeze and save.

    Args:
        models: List of Keras models.
        layers: For each model, the names of the layers to look at.

    Example:
    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="fc")])
    >>> sorted(Teachers([model], [["fc"]])(np.ones((1, 2), "float32")))
    ['0/layer/fc', '0/output/0']
    """

    def __init__(self, models, layers):
        self.models = models
        self.watched = [Watched(model, names) for model, names in zip(models, layers, strict=True)]

    def __call__(self, x):
        """Returns `"teacher/place"` -> float tensor for a batch, in inference mode, without gradients."""
        known = {}
        for index, watched in enumerate(self.watched):
            _, values = watched(x, training=False)
            known |= {f"{index}/{name}": keras.ops.stop_gradient(value) for name, value in values.items()}
        return known

    def places(self, x=None):
        """Returns `"teacher/place"` -> `Place`; for `x` see `Watched.places`."""
        return {
            f"{index}/{name}": place
            for index, watched in enumerate(self.watched)
            for name, place in watched.places(x).items()
        }

    @property
    def know_their_inputs(self):
        """Whether all teachers have symbolic inputs."""
        return all(knows_its_inputs(model) for model in self.models)

    def fingerprint(self):
        """Returns a digest of the teachers' weights and of the places looked at."""
        digest = hashlib.sha256()
        for watched in self.watched:
            digest.update(repr(list(watched.layers)).encode())
            for weight in watched.model.weights:
                digest.update(keras.ops.convert_to_numpy(weight).tobytes())
        return digest.hexdigest()


def as_models(teacher, student):
    """Returns the list of models that a caller means by `teacher`.

    Args:
        teacher: A model, a list of models, the student itself (it learns from a copy of what it is now), or
            None (it learns from its own deeper layers).
        student: The student.

    Raises:
        ValueError: If it is none of these.
    """
    if teacher is None:
        return []
    models = list(teacher) if isinstance(teacher, list | tuple) else [teacher]
    if not models or not all(isinstance(model, keras.Model) for model in models):
        raise ValueError(
            "teacher must be a keras.Model, a list of them, or None for a student that learns from itself. "
            f"Received: teacher={teacher!r}."
        )
    return [rebuild(student) if model is student else model for model in models]
