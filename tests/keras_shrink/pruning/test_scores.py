import keras
import numpy as np
import pytest

import keras_shrink as ks
from keras_shrink.pruning import Movement, Taylor, magnitude, random


def linear_model(optimizer="sgd"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, use_bias=False, name="fc")])
    model.compile(optimizer, "mse", jit_compile=False)
    return model


def data():
    generator = np.random.default_rng(0)
    return generator.normal(size=(32, 6)).astype("float32"), generator.normal(size=(32, 4)).astype("float32")


def test_magnitude_and_random_have_the_shape_of_the_weight():
    weight = np.array([[-3.0, 1.0], [0.0, 2.0]])
    assert magnitude(weight).tolist() == [[3, 1], [0, 2]]
    assert random(1)(weight).shape == (2, 2)
    assert not np.array_equal(random(1)(weight), random(2)(weight))


def test_movement_adds_up_weight_times_update():
    (x, y), model = data(), linear_model(keras.optimizers.SGD(0.1))
    expected, weight = np.zeros((6, 4)), model.layers[0].kernel
    twin = linear_model(keras.optimizers.SGD(0.1))
    twin.set_weights(model.get_weights())
    for _ in range(3):
        before = twin.layers[0].kernel.numpy()
        gradient = x.T @ (x @ before - y) * 2 / y.size
        expected += before * (-0.1 * gradient)
        twin.train_on_batch(x, y)
    pruner = ks.Pruner(ks.schedules.constant(0.5, begin_step=3), score=Movement())
    pruner.begin(model)
    for _ in range(3):
        pruner.step()
        model.train_on_batch(x, y)
    pruner.end()
    kept = pruner.masks()["fc"]
    assert (~kept).sum() == 12
    assert expected[~kept].max() <= expected[kept].min() + 1e-6
    assert np.array_equal(weight.numpy() == 0, ~kept)


def test_movement_fades_with_its_decay():
    assert Movement(decay=0.5).increment(4.0, 2.0, 3.0) == 4.0
    with pytest.raises(ValueError, match="decay must be in"):
        Movement(decay=0.0)


@pytest.mark.parametrize("loss", [None, "mse"])
def test_taylor_is_weight_times_gradient(loss):
    (x, y), model = data(), linear_model()
    kernel = model.layers[0].kernel
    gradient = x.T @ (x @ kernel.numpy() - y) * 2 / y.size
    (score,) = Taylor(x, y, loss=loss).measure(model, [kernel])
    np.testing.assert_allclose(score, np.abs(kernel.numpy() * gradient), rtol=1e-4, atol=1e-6)


def test_taylor_without_a_loss_or_a_gradient_says_so():
    (x, y), model = data(), linear_model()
    stranger = keras.Variable(np.ones((2, 2)))
    with pytest.raises(ValueError, match="does not depend on these kernels"):
        Taylor(x, y).measure(model, [stranger])
    with pytest.raises(ValueError, match="Taylor needs a loss: compile the model"):
        Taylor(x, y).measure(keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)]), [])


def test_any_function_is_a_score_and_its_shape_is_checked():
    model = linear_model()
    weight = model.layers[0].kernel.numpy()
    pruned = ks.prune(model, 0.5, score=lambda w: w)
    assert pruned.layers[0].kernel.numpy()[weight > np.median(weight)].all()
    with pytest.raises(
        ValueError, match=r"array of the weight's shape \(6, 4\). Received: shape \(6,\) for fc"
    ):
        ks.prune(model, 0.5, score=lambda w: w[:, 0])
