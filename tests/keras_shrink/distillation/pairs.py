"""Students, teachers and data for the tests of distillation."""

import keras
import numpy as np
from keras import layers

CLASSES = 3


def classifier(width, *, name, activation=None, seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(width, 3, padding="same", activation="relu", name="conv")(inputs)
    x = layers.Conv2D(width, 3, strides=2, activation="relu", name="small")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation=activation, name="scores")(x), name=name)


def student_and_teacher(**options):
    return classifier(3, name="student", **options), classifier(5, name="teacher", seed=1)


def pictures(count=32, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(0, 1, (count, 6, 6, 2)).astype("float32")
    return x, generator.integers(0, CLASSES, count).astype("int32")


def logits_loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def weights_of(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def tagger(width, *, name, seed=0):
    """A token sequence model: zeros are padding."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((None,), dtype="int32")
    x = layers.Embedding(11, width, mask_zero=True, name="embedding")(inputs)
    x = layers.Dense(width, activation="relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(CLASSES, name="tags")(x), name=name)


def sentences(count=8, length=5, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.integers(1, 11, (count, length)).astype("int32")
    x[:, 3:] = 0
    return x, generator.integers(0, CLASSES, (count, length)).astype("int32")
