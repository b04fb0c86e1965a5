import keras
import numpy as np
import pytest

import keras_shrink as ks


def test_logs_what_the_device_scores():
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(0, 1, (64, 8)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("int32")
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    qat = ks.quantize(model)
    device = ks.DeviceMetrics(x, y, every=2)
    history = qat.fit(x, y, epochs=2, callbacks=[device], verbose=0).history
    assert len(history["device_accuracy"]) == 1
    (accuracy,), (loss,) = history["device_accuracy"], history["device_loss"]
    assert [loss, accuracy] == pytest.approx(ks.simulate(qat).evaluate(x, y, verbose=0))
    assert loss == pytest.approx(qat.evaluate(x, y, verbose=0)[0], abs=0.05)


def test_epochs_are_counted_from_one():
    with pytest.raises(ValueError, match="every must be at least 1. Received: every=0"):
        ks.DeviceMetrics(np.zeros((1, 1)), every=0)
