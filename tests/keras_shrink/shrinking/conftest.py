"""A small classifier with something to lose, trained once for all tests of this folder."""

import keras
import numpy as np
import pytest
from keras import layers


def clusters(count, seed):
    """Four classes of 6 x 6 pictures, each a fixed pattern under noise."""
    patterns = np.random.default_rng(0).normal(size=(4, 6, 6, 1))
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, count).astype("int32")
    return (patterns[labels] + generator.normal(0, 2.2, (count, 6, 6, 1))).astype("float32"), labels


@pytest.fixture(scope="session")
def data():
    return clusters(512, 1), clusters(200, 2)


@pytest.fixture(scope="session")
def model(data):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 1), name="picture")
    x = layers.Conv2D(16, 3, use_bias=False, name="first")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Conv2D(32, 3, activation="relu", name="second")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(4, activation="softmax", name="scores")(x)
    model = keras.Model(inputs, outputs, name="patterns")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*data[0], epochs=6, verbose=0)
    return model
