"""What tfmot's guides on pruning do: the same calls, with `keras` and the facade."""

import json
import os
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tflite_export as te
from keras_shrink.compat import tfmot

sparsity = tfmot.sparsity.keras
prune_low_magnitude = sparsity.prune_low_magnitude
pytestmark = pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")


def digits(samples=64):
    """Pictures of 10 classes, each a bright row or column in noise."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, samples)
    images = generator.uniform(0, 0.3, (samples, 10, 10))
    images[np.arange(samples), labels] += 0.7
    return images.astype("float32"), labels


def network():
    return keras.Sequential(
        [
            keras.layers.InputLayer(shape=(10, 10)),
            keras.layers.Reshape(target_shape=(10, 10, 1)),
            keras.layers.Conv2D(filters=4, kernel_size=(3, 3), activation="relu"),
            keras.layers.MaxPooling2D(pool_size=(2, 2)),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )


def compiled(model):
    model.compile(
        optimizer="adam",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def zeros(layer):
    return float((layer.kernel.numpy() == 0).mean())


def kernels(model):
    return [layer for layer in model.layers if hasattr(layer, "kernel")]


def converted(model):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def test_a_whole_model_as_in_the_example(tmp_path):
    x, y = digits()
    model = network()
    epochs = 2
    end_step = np.ceil(len(x) / 8).astype(np.int32) * epochs
    pruning_params = {
        "pruning_schedule": sparsity.PolynomialDecay(
            initial_sparsity=0.50, final_sparsity=0.80, begin_step=0, end_step=end_step
        )
    }
    model_for_pruning = compiled(prune_low_magnitude(model, **pruning_params))
    model_for_pruning.summary(print_fn=lambda *_, **__: None)
    logdir = str(tmp_path / "logs")
    callbacks = [sparsity.UpdatePruningStep(), sparsity.PruningSummaries(log_dir=logdir)]
    model_for_pruning.fit(
        x, y, batch_size=8, epochs=epochs, validation_split=0.1, verbose=0, callbacks=callbacks
    )
    assert any(name.startswith("events") for name in os.listdir(os.path.join(logdir, "metrics")))
    model_for_export = sparsity.strip_pruning(model_for_pruning)
    pruned_file = str(tmp_path / "pruned.h5")
    keras.models.save_model(model_for_export, pruned_file, include_optimizer=False)
    assert [type(layer) for layer in model_for_export.layers] == [type(layer) for layer in model.layers]
    assert [zeros(layer) for layer in kernels(model_for_export)] == pytest.approx([0.8, 0.8], abs=0.02)
    assert max(zeros(layer) for layer in kernels(model)) == 0
    predicted = model_for_export.predict(x[:4], verbose=0)
    assert np.array_equal(predicted, model_for_pruning.predict(x[:4], verbose=0))
    assert np.array_equal(predicted, keras.models.load_model(pruned_file).predict(x[:4], verbose=0))
    keras.models.save_model(model, str(tmp_path / "float.h5"), include_optimizer=False)
    sizes = [len(zlib.compress((tmp_path / name).read_bytes())) for name in ("float.h5", "pruned.h5")]
    assert sizes[1] < 0.8 * sizes[0]
    assert len(converted(model_for_export)) > 1000


def test_some_layers_by_cloning(tmp_path):
    x, y = digits(16)
    base_model = network()

    def apply_pruning_to_dense(layer):
        if isinstance(layer, keras.layers.Dense):
            return prune_low_magnitude(layer)
        return layer

    model_for_pruning = compiled(keras.models.clone_model(base_model, clone_function=apply_pruning_to_dense))
    model_for_pruning.fit(x, y, epochs=2, verbose=0, callbacks=[sparsity.UpdatePruningStep()])
    exported = sparsity.strip_pruning(model_for_pruning)
    assert [zeros(layer) for layer in kernels(exported)] == [0.0, 0.5]


def test_layers_marked_while_a_model_is_built():
    x = np.random.default_rng(0).normal(size=(8, 20)).astype("float32")
    params = {"pruning_schedule": sparsity.ConstantSparsity(0.75, begin_step=0, frequency=1)}
    inputs = keras.Input(shape=(20,))
    hidden = prune_low_magnitude(keras.layers.Dense(10), **params)(inputs)
    outputs = keras.layers.Flatten()(hidden)
    functional = keras.Model(inputs=inputs, outputs=outputs)
    sequential = keras.Sequential(
        [
            prune_low_magnitude(keras.layers.Dense(10, input_shape=(20,)), **params),
            keras.layers.Flatten(),
        ]
    )
    for model in (functional, sequential):
        model.compile("sgd", "mse", jit_compile=False)
        model.fit(x, x[:, :10], verbose=0, callbacks=[sparsity.UpdatePruningStep()])
        assert zeros(kernels(sparsity.strip_pruning(model))[0]) == 0.75


def test_weights_that_a_custom_layer_names():
    class MyDense(keras.layers.Dense, sparsity.PrunableLayer):
        def get_prunable_weights(self):
            return [self.kernel, self.bias]

    x = np.random.default_rng(0).normal(size=(8, 20)).astype("float32")
    params = {"pruning_schedule": sparsity.ConstantSparsity(0.5, 0, frequency=1)}
    model = keras.Sequential(
        [prune_low_magnitude(MyDense(10, input_shape=(20,), bias_initializer="ones"), **params)]
    )
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(x, x[:, :10], verbose=0, callbacks=[sparsity.UpdatePruningStep()])
    layer = sparsity.strip_pruning(model).layers[0]
    assert float((layer.bias.numpy() == 0).mean()) == 0.5
    assert zeros(layer) == 0.5


def test_a_loop_of_ones_own(tmp_path):
    x, y = digits(16)
    model_for_pruning = prune_low_magnitude(network())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam()
    unused_arg = -1
    model_for_pruning.optimizer = optimizer
    step_callback = sparsity.UpdatePruningStep()
    step_callback.set_model(model_for_pruning)
    log_callback = sparsity.PruningSummaries(log_dir=str(tmp_path))
    log_callback.set_model(model_for_pruning)
    step_callback.on_train_begin()
    for _ in range(2):
        log_callback.on_epoch_begin(epoch=unused_arg)
        for _ in range(2):
            step_callback.on_train_batch_begin(batch=unused_arg)
            with tf.GradientTape() as tape:
                loss_value = loss(y, model_for_pruning(x, training=True))
            grads = tape.gradient(loss_value, model_for_pruning.trainable_variables)
            optimizer.apply_gradients(zip(grads, model_for_pruning.trainable_variables, strict=True))
        step_callback.on_epoch_end(batch=unused_arg)
    exported = sparsity.strip_pruning(model_for_pruning)
    assert [zeros(layer) for layer in kernels(exported)] == [0.5, 0.5]
    assert int(model_for_pruning.layers[1].pruning_step.numpy()) == 4


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_a_checkpoint_goes_on_where_it_was(tmp_path, suffix):
    x, y = digits(32)
    schedule = sparsity.PolynomialDecay(0.0, 0.8, begin_step=0, end_step=8, frequency=1)
    model = compiled(prune_low_magnitude(network(), pruning_schedule=schedule))
    model.fit(x, y, batch_size=8, epochs=1, verbose=0, callbacks=[sparsity.UpdatePruningStep()])
    path = str(tmp_path / f"model.{suffix}")
    model.save(path, include_optimizer=True) if suffix == "h5" else model.save(path)
    with sparsity.prune_scope():
        loaded = keras.models.load_model(path)
    assert np.array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    halfway = [zeros(layer.layer) for layer in loaded.layers if hasattr(layer, "pruning_step")]
    assert halfway == pytest.approx([schedule(4)[1]] * 2, abs=0.02)
    if suffix == "h5":
        return  # Keras 3 restores no optimizer that could go on from this format
    loaded.fit(x, y, batch_size=8, epochs=1, verbose=0, callbacks=[sparsity.UpdatePruningStep()])
    exported = sparsity.strip_pruning(loaded)
    assert [zeros(layer) for layer in kernels(exported)] == pytest.approx([0.8, 0.8], abs=0.02)


def test_two_of_four_as_in_the_guide_to_structure():
    x, y = digits(32)
    model = keras.Sequential(
        [
            keras.Input((10, 10, 1)),
            keras.layers.Conv2D(8, 3, activation="relu", name="conv"),
            prune_low_magnitude(
                keras.layers.Conv2D(8, 3, activation="relu", name="structural_pruning"),
                pruning_schedule=sparsity.ConstantSparsity(0.5, begin_step=0, frequency=100),
                sparsity_m_by_n=(2, 4),
            ),
            keras.layers.Flatten(),
            prune_low_magnitude(
                keras.layers.Dense(10, name="dense"),
                pruning_schedule=sparsity.ConstantSparsity(0.5, begin_step=0, frequency=100),
                sparsity_m_by_n=(2, 4),
            ),
        ]
    )
    compiled(model).fit(x, y, verbose=0, callbacks=[sparsity.UpdatePruningStep()])
    exported = sparsity.strip_pruning(model)
    assert zeros(exported.get_layer("conv")) == 0
    kernel = exported.get_layer("structural_pruning").kernel.numpy()  # height, width, in, out
    nonzero = (kernel != 0).reshape(3, 3, 2, 4, 8).sum(axis=3)
    assert nonzero.max() == 2
    assert nonzero.min() == 2
    dense = exported.get_layer("dense").kernel.numpy()
    assert (dense != 0).reshape(-1, 4, 10).sum(axis=1).max() == 2
    assert te.convert(exported, dtype="float32") is not None


@pytest.mark.parametrize(("pooling", "kept"), [("AVG", 0), ("MAX", 1)])
def test_blocks_count_by_their_mean_or_their_largest_weight(pooling, kept):
    even, peaked = [0.5, 0.5], [0.8, 0.1]
    layer = keras.layers.Dense(2, use_bias=False)
    model = keras.Sequential([keras.Input((2,)), layer])
    layer.kernel.assign([even, peaked])
    marked = prune_low_magnitude(
        model, sparsity.ConstantSparsity(0.5, 0), block_size=(1, 2), block_pooling_type=pooling
    )
    marked.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False)
    marked.fit(np.ones((4, 2)), np.ones((4, 2)), verbose=0, callbacks=[sparsity.UpdatePruningStep()])
    kernel = sparsity.strip_pruning(marked).layers[0].kernel.numpy()
    assert (kernel != 0).all(axis=1).tolist() == [kept == 0, kept == 1]


def test_a_policy_chooses_layers():
    model = keras.Sequential(
        [keras.Input((6, 6, 4)), keras.layers.Conv2D(4, 3), keras.layers.Conv2D(4, 1), keras.layers.Dense(2)]
    )
    marked = prune_low_magnitude(model, pruning_policy=sparsity.PruneForLatencyOnXNNPack())
    chosen = [isinstance(layer, sparsity.PruneLowMagnitude) for layer in marked.layers]
    assert chosen == [False, True, False]


def test_a_schedule_of_ones_own(tmp_path):
    class Late(sparsity.PruningSchedule):
        def __call__(self, step):
            return self._should_prune_in_step(step, 3, -1, 1), 0.25

        def get_config(self):
            return {"class_name": "Late", "config": {}}

    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="fc")])
    marked = prune_low_magnitude(model, Late())
    marked.compile("sgd", "mse", jit_compile=False)
    callbacks = [sparsity.UpdatePruningStep()]
    x = np.ones((8, 8), "float32")
    marked.fit(x, x[:, :4], batch_size=4, epochs=1, verbose=0, callbacks=callbacks)
    assert zeros(marked.layers[0].layer) == 0
    marked.fit(x, x[:, :4], batch_size=4, epochs=1, verbose=0, callbacks=callbacks)
    assert zeros(marked.layers[0].layer) == 0.25
    marked.save(tmp_path / "model.keras")
    with pytest.raises(Exception, match=r"custom_object_scope\(\{'Late': Late\}\)"):
        keras.models.load_model(tmp_path / "model.keras")
    with keras.saving.custom_object_scope({"Late": Late}):
        assert keras.models.load_model(tmp_path / "model.keras").layers[0].pruning_schedule(5) == (True, 0.25)


def test_schedules_survive_their_config():
    for schedule in (sparsity.ConstantSparsity(0.5, 2), sparsity.PolynomialDecay(0.1, 0.8, 0, 10)):
        config = json.loads(json.dumps(schedule.get_config()))
        assert type(schedule).from_config(config["config"]).get_config() == schedule.get_config()


def test_training_without_the_callback_is_an_error():
    model = prune_low_magnitude(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
    model.compile("sgd", "mse", jit_compile=False)
    with pytest.raises(ValueError, match=r"callbacks=\[UpdatePruningStep\(\)\]"):
        model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)


def test_layers_that_are_left_are_named():
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.DepthwiseConv2D(3, name="deep")(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(4, 1)(x))
    with pytest.warns(UserWarning, match="Not pruned: deep"):
        prune_low_magnitude(model)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: prune_low_magnitude("model"), "to_prune must be a keras.Model"),
        (lambda: prune_low_magnitude(keras.layers.Dense(2), block_pooling_type="SUM"), "'AVG' or 'MAX'"),
        (
            lambda: prune_low_magnitude(keras.Sequential([keras.Input((2,)), keras.layers.Flatten()])),
            "No layer to prune was chosen",
        ),
        (lambda: sparsity.ConstantSparsity(80, 0), r"Pass a fraction: 0\.8"),
        (lambda: sparsity.ConstantSparsity(0.5, -1), "begin_step must be at least 0"),
        (lambda: sparsity.PolynomialDecay(0.1, 0.5, 5, 4), "must not lie before begin_step"),
        (lambda: sparsity.ConstantSparsity(0.5, 0, frequency=0), "frequency must be at least 1"),
        (lambda: sparsity.PruningSummaries(log_dir=""), "log_dir must be the name of a folder"),
    ],
)
def test_wrong_settings_are_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()
