import keras
import numpy as np

import keras_shrink as ks
from keras_shrink.pruning.constraint import MaskConstraint
from keras_shrink.pruning.held import Held


def held_model(dtype=None):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, dtype=dtype), keras.layers.Dense(2)])
    kernels = ks.select.find_kernels(model)
    for kernel in kernels:
        value = kernel.variable.numpy()
        kernel.variable.constraint = MaskConstraint(kernel.variable, np.ones(value.shape, bool))
    return kernels, Held(kernels, [kernel.variable.constraint for kernel in kernels])


def test_reading_and_writing_agree_with_the_variables_call_after_call():
    kernels, held = held_model()
    generator = np.random.default_rng(0)
    for _ in range(5):  # the first calls run eagerly, later ones traced
        weights = [generator.normal(size=kernel.variable.shape) for kernel in kernels]
        masks = [generator.random(kernel.variable.shape) < 0.5 for kernel in kernels]
        for kernel, weight in zip(kernels, weights, strict=True):
            kernel.variable.assign(weight)
        held.keep(masks)
        for value, kernel, weight, mask in zip(held.values(), kernels, weights, masks, strict=True):
            assert np.array_equal(value, kernel.variable.numpy())
            np.testing.assert_allclose(value, np.where(mask, weight, 0), rtol=1e-6)
        assert not held.leaks()


def test_low_precision_weights_are_read_as_float32():
    kernels, held = held_model("bfloat16")
    assert kernels[0].variable.dtype == "bfloat16"
    assert [value.dtype for value in held.values()] == [np.float32, np.float32]


def test_a_weight_that_came_back_is_noticed():
    kernels, held = held_model()
    held.keep([np.zeros(kernel.variable.shape, bool) for kernel in kernels])
    kernels[1].variable.assign(np.ones((4, 2)))
    assert held.leaks()
