"""Trainings that are cut into pieces, each of a few minutes."""

import sys
import time

import keras


class StopAfter(keras.callbacks.Callback):
    """Prints each epoch, and leaves the program when the time is up; behind a backup that is written by then.

    Args:
        minutes: From now on.
    """

    def __init__(self, minutes):
        super().__init__()
        self.end = time.time() + 60 * minutes

    def on_epoch_end(self, epoch, logs=None):
        """Looks at the clock."""
        print({"epoch": epoch} | {name: round(float(value), 4) for name, value in logs.items()}, flush=True)
        if time.time() > self.end and epoch + 1 < self.params["epochs"]:
            sys.exit(75)
