import keras
import numpy as np
import pytest

import keras_shrink as ks

RAMP = ks.schedules.polynomial(0.0, 0.75, end_step=12)


def small_model(**compile_options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(8, 3, name="conv"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(4, name="head"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", **compile_options)
    return model


def data(samples=64):
    generator = np.random.default_rng(0)
    return generator.normal(size=(samples, 8, 8, 3)).astype("float32"), generator.integers(0, 4, samples)


def zeros(model):
    return {k.name: float(np.mean(k.variable.numpy() == 0)) for k in ks.select.find_kernels(model)}


@pytest.mark.parametrize(
    "options",
    [
        {"jit_compile": True},
        {"jit_compile": False},
        {"run_eagerly": True},
        {"steps_per_execution": 4},
    ],
    ids=str,
)
def test_zeros_are_exact_and_stay_however_the_step_runs(options, tmp_path):
    model, (x, y) = small_model(**options), data()
    model.fit(x, y, batch_size=8, verbose=0)  # the train step is traced before pruning begins
    history = model.fit(
        x, y, batch_size=8, epochs=2, verbose=0, callbacks=[ks.GradualPruning(RAMP, frequency=3)]
    )
    assert zeros(model) == {"conv": 0.75, "head": 0.75}
    assert history.history["sparsity"][-1] == 0.75
    masks = [k.variable.numpy() == 0 for k in ks.select.find_kernels(model)]
    model.fit(x, y, batch_size=8, verbose=0)
    assert [
        bool((k.variable.numpy()[m] == 0).all())
        for k, m in zip(ks.select.find_kernels(model), masks, strict=True)
    ] == [True] * 2
    model.save(tmp_path / "model.keras")
    assert zeros(keras.saving.load_model(tmp_path / "model.keras")) == {"conv": 0.75, "head": 0.75}


def test_a_loaded_model_keeps_its_zeros_when_pruning_begins_again(tmp_path):
    model, (x, y) = small_model(), data()
    model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[ks.GradualPruning(RAMP, frequency=3)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    before = [k.variable.numpy() == 0 for k in ks.select.find_kernels(loaded)]
    again = ks.GradualPruning(ks.schedules.constant(0.2), frequency=2)
    history = loaded.fit(x, y, batch_size=8, verbose=0, callbacks=[again])
    after = [k.variable.numpy() == 0 for k in ks.select.find_kernels(loaded)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert history.history["sparsity"] == [0.75]
