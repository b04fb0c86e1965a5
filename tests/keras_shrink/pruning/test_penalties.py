import keras
import numpy as np
import pytest

import keras_shrink as ks
from keras_shrink.pruning import L1, GroupLasso


def small_model(**options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, name="conv", **options),
            keras.layers.Flatten(),
            keras.layers.Dense(4, name="head"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
    return model


def data():
    generator = np.random.default_rng(0)
    return generator.normal(size=(32, 8, 8, 3)).astype("float32"), generator.normal(size=(32, 4)).astype(
        "float32"
    )


def penalty_of(model):
    return float(sum(model.losses)) if model.losses else 0.0


def test_l1_is_the_sum_of_absolute_weights():
    model = small_model()
    ks.penalize(model, L1(0.5))
    expected = sum(np.abs(kernel.variable.numpy()).sum() for kernel in ks.select.find_kernels(model))
    assert penalty_of(model) == pytest.approx(0.5 * expected, rel=1e-5)


@pytest.mark.parametrize(("group", "axis"), [("output", 3), ("input", 2)])
def test_group_lasso_is_the_sum_of_channel_norms(group, axis):
    model = small_model()
    ks.penalize(model, GroupLasso(0.5, group=group), layers=ks.select.by_name("conv"))
    kernel = np.moveaxis(model.get_layer("conv").kernel.numpy(), axis, -1)
    norms = np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), axis=0)
    size = kernel.size / kernel.shape[-1]
    assert penalty_of(model) == pytest.approx(0.5 * np.sqrt(size) * norms.sum(), rel=1e-5)


def test_own_regularizers_still_count_and_a_second_call_replaces_the_first():
    model = small_model(kernel_regularizer=keras.regularizers.L2(1.0))
    own = penalty_of(model)
    ks.penalize(model, L1(1.0), GroupLasso(1.0))
    ks.penalize(model, L1(0.5), layers=ks.select.by_name("conv"))
    ks.penalize(model, layers=ks.select.by_name("head"))
    weights = np.abs(model.get_layer("conv").kernel.numpy()).sum()
    assert penalty_of(model) == pytest.approx(own + 0.5 * weights, rel=1e-5)
    ks.penalize(model)
    assert penalty_of(model) == pytest.approx(own)


def test_a_penalty_acts_on_a_model_that_has_trained_before():
    plain, penalized = small_model(), small_model()
    for model in (plain, penalized):
        model.fit(*data(), verbose=0)
    ks.penalize(penalized, L1(0.1), GroupLasso(0.1))
    for model in (plain, penalized):
        model.fit(*data(), epochs=15, verbose=0)
    reports = [ks.sparsity_report(model).mean_abs for model in (plain, penalized)]
    assert reports[1] < 0.9 * reports[0]


def test_group_lasso_has_no_nan_at_a_zero_channel():
    model = small_model()
    kernel = model.get_layer("conv").kernel
    kernel.assign(np.where(np.arange(4) == 1, 0, kernel.numpy()))
    ks.penalize(model, GroupLasso(0.01))
    model.fit(*data(), verbose=0)
    assert np.isfinite(kernel.numpy()).all()


def test_what_is_no_penalty_is_refused():
    model = small_model()
    with pytest.raises(ValueError, match="A penalty is an L1"):
        ks.penalize(model, keras.regularizers.L2(1.0))
    with pytest.raises(ValueError, match="No layer with a kernel"):
        ks.penalize(model, L1(1.0), layers=ks.select.by_name("nothing"))
    with pytest.raises(ValueError, match="Received: strength=-1"):
        L1(-1)
    with pytest.raises(ValueError, match="Received: group='row'"):
        GroupLasso(1.0, group="row")
