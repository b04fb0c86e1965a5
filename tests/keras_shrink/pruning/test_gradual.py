import itertools
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_shrink as ks

RAMP = ks.schedules.polynomial(0.0, 0.75, end_step=12)


class OwnStep(keras.Model):
    """A functional model with a train step of its own."""

    def train_step(self, batch):
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.parts = [keras.layers.Flatten(), keras.layers.Dense(8, activation="relu", name="hidden")]
        self.head = {"out": keras.layers.Dense(4, name="head")}

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return self.head["out"](x)


def small_model(kind=keras.Model, optimizer=None, **options):
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, name="conv")(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    model = kind(image, keras.layers.Dense(4, name="head", dtype="float32")(keras.layers.Flatten()(x)))
    return compiled(model, optimizer, **options)


def compiled(model, optimizer=None, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer or keras.optimizers.Adam(0.01), loss, **{"jit_compile": False} | options)
    return model


def data(samples=64):
    generator = np.random.default_rng(0)
    return generator.normal(size=(samples, 8, 8, 3)).astype("float32"), generator.integers(0, 4, samples)


def fit(model, *callbacks, epochs=2, **options):
    x, y = data()
    return model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, callbacks=list(callbacks), **options)


def zeros(model):
    return {k.name: float(np.mean(k.variable.numpy() == 0)) for k in ks.select.find_kernels(model)}


def masks(model):
    return [k.variable.numpy() != 0 for k in ks.select.find_kernels(model)]


PRUNED = {"conv": 0.75, "head": 0.75}


@pytest.mark.parametrize(
    "options",
    [{"jit_compile": True}, {"jit_compile": "auto"}, {"jit_compile": False}, {"run_eagerly": True},
     {"steps_per_execution": 4}, {"kind": OwnStep}],
    ids=str,
)  # fmt: skip
def test_zeros_are_exact_and_stay_however_the_step_runs(options, tmp_path):
    model = small_model(**options)
    fit(model, epochs=1)  # the train step is traced before pruning begins
    history = fit(model, ks.GradualPruning(RAMP, frequency=3))
    assert zeros(model) == PRUNED
    assert history.history["sparsity"][-1] == 0.75
    before = masks(model)
    fit(model, epochs=1)
    assert all(map(np.array_equal, before, masks(model)))
    model.save(tmp_path / "model.keras")
    objects = {"OwnStep": OwnStep}
    assert zeros(keras.saving.load_model(tmp_path / "model.keras", custom_objects=objects)) == PRUNED


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        keras.optimizers.AdamW(0.01, use_ema=True, ema_overwrite_frequency=None),
        keras.optimizers.RMSprop(0.001, momentum=0.9, weight_decay=0.01),
        keras.optimizers.Adam(0.01, clipnorm=1.0),
    ],
    ids=lambda optimizer: optimizer.name,
)
def test_no_optimizer_brings_weights_back(optimizer):
    model = small_model(optimizer=optimizer)
    fit(model, epochs=1)
    fit(model, ks.GradualPruning(RAMP, frequency=3))
    assert zeros(model) == PRUNED


def test_accumulated_gradients_count_as_one_step():
    ramp = ks.schedules.polynomial(0.0, 0.75, end_step=8)
    model = small_model(optimizer=keras.optimizers.Adam(0.01, gradient_accumulation_steps=2))
    fit(model, ks.GradualPruning(ramp, frequency=3))
    assert zeros(model) == PRUNED
    with pytest.raises(ValueError, match="training ends at step 8"):
        fit(model, ks.GradualPruning(RAMP), epochs=2)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_zeros_are_exact_in_low_precision(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = small_model()
    finally:
        keras.config.set_dtype_policy("float32")
    fit(model, ks.GradualPruning(RAMP, frequency=3))
    assert zeros(model) == PRUNED
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")


def test_a_subclassed_model_is_pruned():
    model = compiled(Subclassed())
    fit(model, ks.GradualPruning(RAMP, frequency=3))
    assert zeros(model) == {"hidden": 0.75, "head": 0.75}


def test_a_model_that_trains_behind_the_masks_ends_with_exact_zeros():
    model = small_model()
    fit(model, ks.GradualPruning(RAMP, frequency=1, surgery=ks.pruning.Surgery(until=10)))
    before = masks(model)
    assert zeros(model) == PRUNED
    fit(model, epochs=1)
    assert all(map(np.array_equal, before, masks(model)))


def test_a_loaded_model_keeps_its_zeros_when_pruning_begins_again(tmp_path):
    model = small_model()
    fit(model, ks.GradualPruning(RAMP, frequency=3))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    history = fit(loaded, ks.GradualPruning(ks.schedules.constant(0.2), frequency=2), epochs=1)
    assert all(map(np.array_equal, masks(model), masks(loaded)))
    assert history.history["sparsity"] == [0.75]


def test_a_fit_that_was_interrupted_goes_on_in_the_schedule(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    ramp = ks.schedules.polynomial(0.0, 0.8, end_step=30)
    straight = fit(small_model(), ks.GradualPruning(ramp, frequency=2), epochs=4).history["sparsity"]
    for order in (slice(None), slice(None, None, -1)):
        folder = tmp_path / str(order.step)
        first, backup = small_model(), keras.callbacks.BackupAndRestore(folder)
        with pytest.raises(KeyboardInterrupt):
            fit(first, *[ks.GradualPruning(ramp, frequency=2), backup][order], Interrupt(), epochs=4)
        before = masks(first)
        second = small_model()
        callbacks = [ks.GradualPruning(ramp, frequency=2), keras.callbacks.BackupAndRestore(folder)][order]
        resumed = fit(second, *callbacks, epochs=4).history["sparsity"]
        assert resumed == straight[2:]
        assert not any((later & ~earlier).any() for earlier, later in zip(before, masks(second), strict=True))


def test_a_fit_without_an_epoch_prunes_nothing():
    model = small_model()
    fit(model, ks.GradualPruning(0.5), epochs=0)
    assert zeros(model) == {"conv": 0.0, "head": 0.0}


def test_a_second_fit_with_the_same_callback_goes_on():
    model = small_model()
    callback = ks.GradualPruning(RAMP, frequency=1, total_steps=16)
    first = fit(model, callback, epochs=1).history["sparsity"]
    second = fit(model, callback, epochs=1).history["sparsity"]
    assert first[0] == pytest.approx(RAMP(7), abs=0.005)
    assert second == [0.75]


def test_an_optimizer_that_has_trained_before_does_not_skip_the_schedule():
    model = small_model()
    fit(model, epochs=3)
    history = fit(model, ks.GradualPruning(RAMP, frequency=1), epochs=2).history["sparsity"]
    assert history[0] == pytest.approx(RAMP(7), abs=0.005)


def test_sparsity_is_in_history_progress_bar_and_tensorboard(tmp_path, capsys):
    model = small_model()
    board = keras.callbacks.TensorBoard(tmp_path)
    x, y = data()
    callbacks = [ks.GradualPruning(RAMP, frequency=1, log_layers=True), board]
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=2, callbacks=callbacks).history
    assert history["sparsity"][-1] == history["sparsity/conv"][-1] == history["sparsity/head"][-1] == 0.75
    assert "sparsity: 0.7500" in capsys.readouterr().out
    events = [
        value.tag
        for file in tmp_path.rglob("events*")
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    ]
    assert {"epoch_sparsity", "epoch_sparsity/conv", "epoch_sparsity/head"} <= set(events)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (ks.schedules.polynomial(0, 0.5, end_step=17),
         r"cannot finish: its last step is 17, and training ends at step 16 \(2 epochs of 8 steps\)"),
        (ks.schedules.constant(0.5, begin_step=17), r"Set end_step to at most 16"),
        (lambda step: 0.5 if step > 100 else 0.0, r"never fires: it asks for no zeros in steps 0 to 16"),
        (ks.schedules.constant(0.0), r"never fires"),
        (ks.schedules.cyclic(0.2, 0.5, period=4, cycles=2), r"fewer zeros at a later.*Pass surgery"),
    ],
)  # fmt: skip
def test_a_schedule_that_does_not_fit_is_an_error_before_the_first_step(schedule, message):
    model = small_model()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        fit(model, ks.GradualPruning(schedule))
    assert all(map(np.array_equal, before, model.get_weights()))
    fit(model, ks.GradualPruning(ks.schedules.polynomial(0, 0.5, end_step=16)))
    assert zeros(model) == {"conv": 0.5, "head": 0.5}


@pytest.mark.parametrize("total_steps", [None, 8])
def test_an_unknown_number_of_steps_is_a_warning_unless_it_is_told(total_steps):
    x, y = data()
    batches = tf.data.Dataset.from_generator(
        lambda: ((x[i : i + 8], y[i : i + 8]) for i in range(0, 64, 8)),
        output_signature=(tf.TensorSpec((8, 8, 8, 3), tf.float32), tf.TensorSpec((8,), tf.int64)),
    )
    model = small_model()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        callback = ks.GradualPruning(0.5, total_steps=total_steps)
        model.fit(batches, verbose=0, shuffle=False, callbacks=[callback])
    told = any("number of steps per epoch is unknown" in str(warning.message) for warning in caught)
    assert told == (total_steps is None)
    assert zeros(model) == {"conv": 0.5, "head": 0.5}


def test_training_that_stops_before_the_schedule_says_so():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    with pytest.warns(
        UserWarning, match="stopped at step 8, before the last step 12 of the pruning schedule"
    ):
        fit(small_model(), ks.GradualPruning(RAMP), Stop())


def test_pruning_leaves_the_saved_config_as_it_was():
    model, twin = small_model(), small_model()
    fit(model, ks.GradualPruning(RAMP))
    pairs = itertools.zip_longest(model.layers, twin.layers)
    assert all(layer.get_config() == other.get_config() for layer, other in pairs if "head" in layer.name)
