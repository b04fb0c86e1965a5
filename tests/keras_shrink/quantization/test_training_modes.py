"""A quantized model under all that `fit` offers: it trains, and comes to the same weights and ranges."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.quantization.quantize import activation_quantizers
from tests.keras_shrink.networks import mobile_network, pictures

X, Y = pictures(32), np.arange(32) % 5
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(model=None, **settings):
    model = ks.quantize(mobile_network() if model is None else model)
    model.compile(keras.optimizers.Adam(1e-3), LOSS, **{"jit_compile": False, **settings})
    return model


def fit(model, epochs=2, **settings):
    return model.fit(X, Y, batch_size=8, shuffle=False, epochs=epochs, verbose=0, **settings)


def assert_same_state(one, other, tolerance=0.0):
    states = [
        {variable.path: variable.numpy() for variable in [*model.variables, *model.optimizer.variables]}
        for model in (one, other)
    ]
    # The names of optimizers are counted up.
    for first, second in zip(states[0].values(), states[1].values(), strict=True):
        np.testing.assert_allclose(first, second, atol=tolerance, rtol=tolerance)


@pytest.fixture(scope="module")
def uninterrupted():
    model = compiled()
    fit(model)
    return model


def test_training_goes_on_from_a_saved_model_as_if_never_interrupted(uninterrupted, tmp_path):
    model = compiled()
    fit(model, epochs=1)
    model.save(tmp_path / "half.keras")
    loaded = keras.models.load_model(tmp_path / "half.keras")
    assert_same_state(loaded, model)
    fit(loaded, epochs=1)
    assert_same_state(loaded, uninterrupted, 1e-6)


def test_weights_alone_bring_the_ranges_along(uninterrupted, tmp_path):
    uninterrupted.save_weights(tmp_path / "all.weights.h5")
    fresh = ks.quantize(mobile_network())
    fresh.load_weights(tmp_path / "all.weights.h5")
    ranges = [
        [quantizer.range() for quantizer in activation_quantizers(model).values()]
        for model in (fresh, uninterrupted)
    ]
    assert ranges[0] == ranges[1]
    np.testing.assert_array_equal(fresh.predict(X, verbose=0), uninterrupted.predict(X, verbose=0))


def test_backup_and_restore_resumes_a_fit_that_broke_off(uninterrupted, tmp_path):
    class PowerCut(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError("power cut")

    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(RuntimeError, match="power cut"):
        fit(compiled(), callbacks=[backup, PowerCut()])
    resumed = compiled()
    history = fit(resumed, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup")])
    assert history.epoch == [1]
    assert_same_state(resumed, uninterrupted, 1e-6)


@pytest.mark.parametrize(
    "settings",
    [{"jit_compile": True}, {"jit_compile": "auto"}, {"steps_per_execution": 4}, {"run_eagerly": True}],
    ids=str,
)
def test_every_way_to_run_a_step_comes_to_the_same_weights(uninterrupted, settings):
    model = compiled(**settings)
    fit(model)
    for one, other in zip(model.get_weights(), uninterrupted.get_weights(), strict=True):
        # A value on the border of two steps may round either way, and Adam's steps are of 1e-3.
        np.testing.assert_allclose(one, other, atol=0.02, rtol=0.02)
        assert np.mean(np.abs(one - other)) < 5e-3 * (1 + np.mean(np.abs(other)))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_keeps_ranges_in_single_precision_and_converts(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = compiled()
    finally:
        keras.config.set_dtype_policy("float32")
    losses = fit(model, epochs=3).history["loss"]
    assert losses[-1] < losses[0]
    for quantizer in activation_quantizers(model).values():
        assert quantizer.high.dtype == "float32"
        low, high = quantizer.range()
        assert low <= 0 < high
    assert model.get_layer("pointwise").transformed("kernel").dtype == "float32"
    # The file computes in integers what float32 would; the model itself rounds sums to its precision.
    assert te.verify(te.convert(model), X[:8], model).within(3)
    assert model.compute_dtype == policy.removeprefix("mixed_")


def test_a_train_step_of_ones_own_is_kept_and_runs():
    class Doubled(keras.Model):
        steps = 0

        def train_step(self, data):
            Doubled.steps += 1
            x, y = data
            return super().train_step((x, y))

    plain = mobile_network()
    model = ks.quantize(Doubled(plain.inputs, plain.outputs))
    assert type(model) is Doubled
    model.compile("sgd", LOSS, run_eagerly=True)
    fit(model, epochs=1)
    assert Doubled.steps == 4


def test_a_loop_of_ones_own_trains_weights_and_ranges():
    model = ks.quantize(mobile_network())
    optimizer = keras.optimizers.SGD(0.05)
    losses = []
    for _ in range(5):
        with tf.GradientTape() as tape:
            loss = LOSS(Y, model(X, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        losses.append(float(loss))
    assert losses[-1] < losses[0]
    assert np.isfinite(model.predict(X, verbose=0)).all()


@pytest.mark.parametrize("normalized", [False, True])
def test_the_first_step_costs_no_more_than_calibration(normalized):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, name="conv"),
            *([layers.BatchNormalization(trainable=False)] if normalized else []),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, name="scores"),
        ]
    )
    qat = ks.quantize(model)
    qat.compile(keras.optimizers.SGD(0.0), LOSS, jit_compile=False)
    loss = qat.train_on_batch(X, Y)
    scores = [np.asarray(each(X)) for each in (model, ks.calibrate(model, X), qat)]
    plain, calibrated, first = scores
    assert loss == pytest.approx(float(LOSS(Y, first)), rel=1e-5)
    # Training observes what rounded activations lead to, calibration what unrounded ones do.
    np.testing.assert_allclose(first, calibrated, atol=0.02)
    errors = [np.sqrt(np.mean((each - plain) ** 2)) for each in (calibrated, first)]
    assert 0 < errors[1] < 1.2 * errors[0]
    assert float(LOSS(Y, first)) < float(LOSS(Y, calibrated)) + 1e-3


SCRIPT = """
import keras, numpy as np, tensorflow as tf
import keras_shrink as ks
from keras_shrink.quantization.quantize import activation_quantizers
from tests.keras_shrink.networks import mobile_network, pictures

device = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x, y = pictures(32), np.arange(32) % 5
x[8:16] *= 3  # the second half of the first batch: the other replica's
with strategy.scope():
    model = ks.quantize(mobile_network())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), loss, jit_compile=False)
model.fit(x, y, batch_size=16, epochs=1, steps_per_epoch=1, shuffle=False, verbose=0)
extremes = [float(np.maximum(part.max(), 0)) for part in (x[:8], x[8:16])]
high = model.get_layer("picture_int8").range()[1]
assert abs(high - np.mean(extremes)) < 1e-4, (high, extremes)
phases = ks.QuantizationPhases(quantize_from=1, freeze_normalization_from=1, freeze_ranges_from=1)
model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0, callbacks=[phases])
for variable in model.variables:
    if "moving_" in variable.path:
        continue  # Keras leaves each replica its own statistics
    replicas = [part.numpy() for part in strategy.experimental_local_results(variable.value)]
    assert len(replicas) == 2 and np.array_equal(*replicas), variable.path
assert np.isfinite(model.predict(x, verbose=0)).all()
print("identical")
"""


def test_ranges_are_identical_on_every_replica():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.strip().endswith("identical")
