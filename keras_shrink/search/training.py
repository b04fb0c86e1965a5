"""How a candidate is trained and judged, and how it starts from the weights of another."""

from __future__ import annotations

import keras
import numpy as np

from keras_shrink import scoring
from keras_shrink.int8_file import int8_model

_CALIBRATION_SAMPLES = 256


class Trainer:
    """Trains a classifier with Adam and a cosine rate, and scores it as int8 on held-out data.

    A function `(model, train, validation, report) -> float` of your own serves `search` as well: it calls
    `report(epoch, score)` after each epoch, which ends a poor candidate by an exception.

    Args:
        epochs: Of training.
        batch_size: Samples a step.
        learning_rate: At the start.
        loss: For `compile`.
    """

    def __init__(
        self,
        *,
        epochs=10,
        batch_size=32,
        learning_rate=3e-3,
        loss="sparse_categorical_crossentropy",
    ):
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.loss = loss

    def __call__(self, model, train, validation, report):
        """Returns the accuracy of the calibrated int8 model on `validation`."""
        x, y = train
        steps = self.epochs * -(-len(y) // self.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps, alpha=0.02)
        model.compile(keras.optimizers.Adam(rate), self.loss, metrics=["accuracy"], jit_compile=False)
        reporting = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: report(epoch, logs["val_accuracy"])
        )
        model.optimizer.build(model.trainable_variables)  # before the first step, which is then traced once
        model.fit(
            x,
            y,
            batch_size=self.batch_size,
            epochs=self.epochs,
            validation_data=validation,
            validation_batch_size=256,
            callbacks=[reporting],
            verbose=0,
        )
        return scoring.keras_score(int8_model(model, x[:_CALIBRATION_SAMPLES]), validation)


def inherit(model, weights):
    """Starts `model` from the weights of another network as far as they fit; returns how many it took.

    Variables are matched by their paths, which in the models of sketches tell kind and position; of larger
    ones the leading part is taken, of smaller ones all. What is not covered keeps its own start.

    Args:
        model: A built Keras model.
        weights: Path of a variable -> array, as `weights_of` returns them.

    Reference:
        Chen et al., 2015, arXiv:1511.05641; Real et al., 2017, arXiv:1703.01041.
    """
    taken = 0
    for variable in model.variables:
        source = weights.get(variable.path)
        if source is None or len(source.shape) != len(variable.shape):
            continue
        value = np.array(keras.ops.convert_to_numpy(variable))
        common = tuple(slice(0, min(a, b)) for a, b in zip(value.shape, source.shape, strict=True))
        value[common] = source[common]
        variable.assign(value)
        taken += 1
    return taken


def weights_of(model):
    """Returns the values of all variables by path."""
    return {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.variables}
