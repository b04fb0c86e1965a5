import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink import Distiller
from keras_shrink.distillation import AttentionTransfer, FeatureMatching, OutputMatching, SoftTargets
from tests.keras_shrink.distillation import pairs


def mlp(width, *, name, outputs=pairs.CLASSES, seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(width, activation="relu", name="hidden"),
            layers.Dense(outputs, name="scores"),
        ],
        name=name,
    )


def vectors(count=24, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(0, 1, (count, 4)).astype("float32"), generator.integers(0, 3, count)


def compiled(model, loss=None, **options):
    options.setdefault("jit_compile", False)
    model.compile(keras.optimizers.SGD(0.1), loss or pairs.logits_loss(), **options)
    return model


def assert_same_weights(first, second, **tolerance):
    for a, b in zip(pairs.weights_of(first), pairs.weights_of(second), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


@pytest.mark.parametrize(
    ("fit", "options"),
    [
        ({"sample_weight": np.linspace(0, 2, 24)}, {"weighted_metrics": ["accuracy"]}),
        ({"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}}, {"metrics": ["accuracy"]}),
        ({"validation_split": 0.25}, {"steps_per_execution": 3}),
        ({}, {"run_eagerly": True}),
    ],
    ids=["sample_weight", "class_weight", "steps_per_execution", "run_eagerly"],
)
def test_with_labels_alone_it_is_a_plain_fit(fit, options):
    x, y = vectors()
    plain = compiled(mlp(5, name="student"), **options)
    keras.utils.set_random_seed(3)
    wanted = plain.fit(x, y, batch_size=8, epochs=2, verbose=0, **fit).history
    student = mlp(5, name="student")
    teacher = mlp(9, name="teacher", seed=1)
    distiller = compiled(Distiller(student, teacher, SoftTargets(weight=0.0), label_weight=1.0), **options)
    keras.utils.set_random_seed(3)
    found = distiller.fit(x, y, batch_size=8, epochs=2, verbose=0, **fit).history
    assert_same_weights(student, plain, rtol=1e-5, atol=1e-7)
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5)


def test_sample_weights_count_in_every_part():
    student, teacher = pairs.student_and_teacher()
    x, y = pairs.pictures(8)
    goals = [SoftTargets(), AttentionTransfer({"small": "small"}), FeatureMatching({"conv": "conv"})]
    distiller = compiled(Distiller(student, teacher, goals, label_weight=0.5))
    half = np.repeat([1.0, 0.0], 4)
    found = distiller.evaluate(x, y, sample_weight=half, verbose=0, return_dict=True)
    wanted = distiller.evaluate(x[:4], y[:4], verbose=0, return_dict=True)
    for name in ("soft_targets", "attention_transfer", "feature_matching", "label_loss", "loss"):
        assert found[name] == pytest.approx(wanted[name] / 2, rel=1e-4), name


def test_losses_add_up_and_regularization_is_not_scaled():
    student, teacher = mlp(5, name="student"), mlp(9, name="teacher", seed=1)
    student.get_layer("hidden").kernel.regularizer = keras.regularizers.L2(0.1)
    x, y = vectors()
    distiller = compiled(Distiller(student, teacher, SoftTargets(weight=0.7), label_weight=0.3))
    logs = distiller.evaluate(x, y, verbose=0, return_dict=True)
    own = 0.1 * float(np.sum(student.get_layer("hidden").kernel.numpy() ** 2))
    total = 0.3 * logs["label_loss"] + 0.7 * logs["soft_targets"] + own
    assert logs["loss"] == pytest.approx(total, rel=1e-5)
    assert own > 0.05


@keras.saving.register_keras_serializable("tests")
class Counted(layers.Layer):
    """Counts its calls, and those in training mode."""

    def build(self, shape):
        self.calls = tf.Variable(0, trainable=False)
        self.trained = tf.Variable(0, trainable=False)

    def call(self, x, training=False):
        self.calls.assign_add(1)
        if training:
            self.trained.assign_add(1)
        return x


def test_the_teacher_is_asked_once_per_batch_in_inference_mode_and_left_as_it_was():
    counted = Counted()
    teacher = keras.Sequential(
        [keras.Input((4,)), counted, layers.Dense(6, name="hidden"), layers.BatchNormalization()]
    )
    teacher.add(layers.Dense(3, name="scores"))
    teacher.layers[1].trainable = False
    flags = [layer.trainable for layer in teacher._flatten_layers()]
    before = pairs.weights_of(teacher)
    goals = [SoftTargets(), FeatureMatching({"hidden": "hidden"})]
    distiller = compiled(Distiller(mlp(5, name="student"), teacher, goals))
    counted.calls.assign(0)
    x, y = vectors(24)
    distiller.fit(x, y, batch_size=8, epochs=2, verbose=0)
    assert int(counted.calls) == 6
    assert int(counted.trained) == 0
    assert [layer.trainable for layer in teacher._flatten_layers()] == flags
    for a, b in zip(before, pairs.weights_of(teacher), strict=True):
        np.testing.assert_array_equal(a, b)
    owned = {id(weight) for weight in distiller.weights}
    assert not owned & {id(weight) for weight in teacher.weights}


def test_predictions_and_metrics_are_those_of_the_student():
    student, teacher = mlp(5, name="student"), mlp(9, name="teacher", seed=1)
    x, y = vectors()
    distiller = compiled(Distiller(student, teacher), metrics=["accuracy"])
    np.testing.assert_allclose(distiller.predict(x, verbose=0), student.predict(x, verbose=0), rtol=1e-6)
    compiled(student, metrics=["accuracy"])
    wanted = student.evaluate(x, y, verbose=0, return_dict=True)
    found = distiller.evaluate(x, y, verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx(wanted["accuracy"])
    assert found["label_loss"] == pytest.approx(wanted["loss"], rel=1e-5)


def test_training_goes_on_from_a_saved_file(tmp_path):
    teacher = mlp(9, name="teacher", seed=1)
    distiller = compiled(Distiller(mlp(5, name="student"), teacher, temperature=2.0))
    x, y = vectors()
    distiller.fit(x, y, verbose=0)
    distiller.save(tmp_path / "distiller.keras")
    again = keras.saving.load_model(tmp_path / "distiller.keras")
    assert_same_weights(again.teachers[0], teacher)
    assert again.label_weight == distiller.label_weight
    assert again.objectives[0].get_config() == distiller.objectives[0].get_config()
    logs = [model.fit(x, y, shuffle=False, verbose=0).history for model in (distiller, again)]
    for name, values in logs[0].items():
        assert logs[1][name] == pytest.approx(values), name
    assert_same_weights(again.student, distiller.student, rtol=1e-6)
    assert int(again.optimizer.iterations) == 2


def test_mixed_precision_is_that_of_a_plain_fit_and_compares_in_full(half_precision):
    def student_of():
        student = mlp(5, name="student")
        student.add(layers.Activation("linear", dtype="float32"))
        return student

    x, y = vectors()
    plain, student = student_of(), student_of()
    goals = [SoftTargets(weight=0.0), FeatureMatching({"hidden": "hidden"}, weight=0.0)]
    distiller = Distiller(student, mlp(9, name="teacher", seed=1), goals, label_weight=1.0)
    for model in (plain, distiller):
        compiled(model)
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
        assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    assert student.get_layer("hidden").compute_dtype == "float16"
    assert_same_weights(student, plain, rtol=1e-3, atol=1e-4)
    projection = distiller.objectives[1].trainable_variables[0]
    assert "float32" in str(projection.dtype)


@pytest.fixture
def half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_tokens_of_padding_count_for_nothing():
    student, teacher = pairs.tagger(3, name="student"), pairs.tagger(4, name="teacher", seed=1)
    x, y = pairs.sentences()
    goals = [SoftTargets(), FeatureMatching({"hidden": "hidden"})]
    distiller = compiled(Distiller(student, teacher, goals))
    found = distiller.evaluate(x, y, verbose=0, return_dict=True)
    wanted = distiller.evaluate(x[:, :3], y[:, :3], verbose=0, return_dict=True)
    for name in ("label_loss", "soft_targets", "feature_matching", "loss"):
        assert found[name] == pytest.approx(wanted[name], rel=1e-4), name
    distiller.fit(x, y, verbose=0)


def two_headed(width, *, name, seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,), name="vector")
    x = layers.Dense(width, activation="relu", name="hidden")(inputs)
    heads = {"kind": layers.Dense(3, name="kind")(x), "size": layers.Dense(1, name="size")(x)}
    return keras.Model({"vector": inputs}, heads, name=name)


def test_each_output_learns_in_its_own_way_with_its_own_weights():
    student, teacher = two_headed(4, name="student"), two_headed(8, name="teacher", seed=1)
    goals = [SoftTargets(outputs={"kind": "kind"}), OutputMatching(outputs={"size": "size"})]
    distiller = compiled(Distiller(student, teacher, goals), {"kind": pairs.logits_loss(), "size": "mse"})
    x, kinds = vectors(8)
    targets = {"kind": kinds, "size": np.ones(8, "float32")}
    whole = distiller.evaluate({"vector": x}, targets, verbose=0, return_dict=True)
    weights = {"kind": np.zeros(8), "size": np.full(8, 2.0)}
    logs = distiller.evaluate({"vector": x}, targets, sample_weight=weights, verbose=0, return_dict=True)
    assert logs["soft_targets"] == 0.0
    assert logs["output_matching"] == pytest.approx(2 * whole["output_matching"], rel=1e-5)
    distiller.fit({"vector": x}, targets, verbose=0)
    with pytest.raises(ValueError, match=r"'student' has the outputs .*Received: 'colour'"):
        Distiller(student, teacher, SoftTargets(outputs={"colour": "kind"}))


def test_several_teachers_are_averaged_or_asked_one_by_one():
    student = mlp(5, name="student")
    teachers = [mlp(9, name="first", seed=1), mlp(7, name="second", seed=2)]
    x, _ = vectors()

    def loss(goal, teacher):
        distiller = Distiller(student, teacher, goal, label_weight=0.0)
        distiller.compile(jit_compile=False)
        return distiller.evaluate(x, verbose=0, return_dict=True)["loss"]

    alone = [loss(SoftTargets(2.0), teacher) for teacher in teachers]
    assert loss(SoftTargets(2.0), teachers) == pytest.approx(np.mean(alone), rel=1e-5)
    assert loss(SoftTargets(2.0, teacher=1), teachers) == pytest.approx(alone[1], rel=1e-5)
    with pytest.raises(ValueError, match=r"There are 2 teachers, counted from 0. Received: teacher=2"):
        loss(SoftTargets(teacher=2), teachers)


def test_born_again_a_student_learns_from_a_copy_of_itself():
    student = mlp(5, name="student")
    start = pairs.weights_of(student)
    distiller = compiled(Distiller(student, student, label_weight=1.0))
    x, y = vectors()
    distiller.fit(x, y, verbose=0)
    for a, b in zip(start, pairs.weights_of(distiller.teachers[0]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(student.get_weights()[0] - start[0]).max() > 0


def test_an_early_exit_learns_from_the_last_one_and_not_the_other_way_round():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    x = layers.Dense(5, activation="relu", name="shallow")(inputs)
    early = layers.Dense(3, name="early")(x)
    deep = layers.Dense(5, activation="relu", name="deep")(keras.ops.stop_gradient(x))
    student = keras.Model(inputs, [early, layers.Dense(3, name="last")(deep)])
    goals = [SoftTargets(outputs={"early": "last"}), FeatureMatching({"shallow": "deep"})]
    distiller = Distiller(student, None, goals, label_weight=0.0)
    distiller.compile(keras.optimizers.SGD(0.5), jit_compile=False)
    kept = student.get_layer("last").kernel.numpy()
    x, _ = vectors()
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        losses = distiller.fit(x, batch_size=24, epochs=5, verbose=0).history["soft_targets"]
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(student.get_layer("last").kernel, kept)
    with pytest.raises(ValueError, match="learns from its own deeper outputs"):
        Distiller(student, None)


class Subclassed(keras.Model):
    def __init__(self, width):
        super().__init__()
        self.hidden = layers.Dense(width, activation="relu", name="hidden")
        self.scores = layers.Dense(3, name="scores")

    def call(self, x):
        return self.scores(self.hidden(x))


def test_models_that_know_their_shapes_only_from_data():
    goals = [SoftTargets(student_logits=True, teacher_logits=True), FeatureMatching({"hidden": "hidden"})]
    distiller = compiled(Distiller(Subclassed(4), Subclassed(6), goals))
    x, y = vectors()
    losses = distiller.fit(x, y, batch_size=24, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert len(distiller.objectives[1].trainable_variables) == 1


def test_distillation_pruning_and_quantization_in_one_fit():
    student, teacher = pairs.student_and_teacher()
    qat = ks.quantize(student)
    goals = [SoftTargets(2.0), FeatureMatching({"conv": "conv"})]
    distiller = compiled(Distiller(qat, teacher, goals))
    x, y = pairs.pictures(32)
    callback = ks.GradualPruning(ks.schedules.polynomial(0.0, 0.5, end_step=6), frequency=2)
    phases = ks.QuantizationPhases(freeze_ranges_from=1)
    history = distiller.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[callback, phases]).history
    assert history["sparsity"][-1] == pytest.approx(0.5, abs=0.02)
    report = ks.sparsity_report(qat)
    assert report.sparsity == pytest.approx(0.5, abs=0.02)
    projection = distiller.objectives[1].trainable_variables[0].numpy()
    assert np.all(projection != 0)
    assert not any("projection" in name for name in callback.pruner.layer_sparsity)
    tensors = te.convert(qat).graph.main.tensors
    assert {tensor.dtype for tensor in tensors} <= {"int8", "int32"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"student": "a model"}, r"student must be a keras.Model. Received: student='a model'"),
        ({"teacher": 3}, r"teacher must be a keras.Model, a list of them.*Received: teacher=3"),
        ({"teacher": []}, r"teacher must be a keras.Model, a list of them"),
        ({"objectives": "kl"}, r"objectives must be an Objective.*Received: objectives='kl'"),
        ({"label_weight": -0.1}, r"label_weight must not be negative. Received: label_weight=-0.1"),
        ({"objectives": [SoftTargets(), SoftTargets()]}, r"Two objectives have the name \['soft_targets'\]"),
        ({"objectives": FeatureMatching({"a": "hidden"})}, r"0 layers of 'student' have that name"),
        ({"teacher": "two heads"}, r"The student has 1 outputs and the teacher 2"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    if arguments.get("teacher") == "two heads":
        arguments = {"teacher": two_headed(3, name="teacher")}
    defaults = {"student": mlp(3, name="student"), "teacher": mlp(3, name="teacher")}
    with pytest.raises(ValueError, match=message):
        Distiller(**{**defaults, **arguments})
