"""`DeviceMetrics`: what the device would score, after each epoch of `fit`."""

import keras

from keras_shrink.simulation.simulate import simulate


class DeviceMetrics(keras.callbacks.Callback):
    """Evaluates the integers of the device after epochs of `fit`, beside what Keras shows.

    The validation of a quantized model rounds as the device does in nearly all operators; the tables that a
    device has for activations may differ by a step. This callback converts the model, simulates the file bit
    for bit and adds its loss and metrics to the logs as `device_loss`,
    `device_accuracy` and so on. Callbacks behind it, such as `ModelCheckpoint(monitor="device_accuracy")`,
    and the history see them.

    Args:
        x: Inputs, as `evaluate` takes them.
        y: Targets, where `x` does not bring them. Defaults to None.
        every: Epochs from one evaluation to the next; a conversion takes about a second. Defaults to 1.
        batch_size: As `evaluate` takes it.

    Raises:
        ValueError: If `every` is not positive.

    Example:
    >>> import keras, numpy as np, keras_shrink as ks
    >>> x = np.random.rand(32, 4)
    >>> qat = ks.quantize(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
    >>> qat.compile("sgd", "mse")
    >>> history = qat.fit(x, x.sum(1), callbacks=[ks.DeviceMetrics(x, x.sum(1))], verbose=0)
    >>> sorted(history.history)
    ['device_loss', 'loss']
    """

    def __init__(self, x, y=None, *, every=1, batch_size=None):
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1. Received: every={every}.")
        self.x, self.y, self.every, self.batch_size = x, y, every, batch_size

    def on_epoch_end(self, epoch, logs=None):
        """Adds the device's results to `logs`."""
        if (epoch + 1) % self.every or logs is None:
            return
        results = simulate(self.model).evaluate(
            self.x, self.y, batch_size=self.batch_size, verbose=0, return_dict=True
        )
        logs.update({f"device_{name}": value for name, value in results.items()})
