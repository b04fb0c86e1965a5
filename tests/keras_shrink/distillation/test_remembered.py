import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_shrink import Distiller
from keras_shrink.distillation import FeatureMatching, SoftTargets
from tests.keras_shrink.distillation import pairs


def distiller_of(**options):
    student, teacher = pairs.student_and_teacher()
    distiller = Distiller(student, teacher, [SoftTargets(), FeatureMatching({"conv": "conv"})], **options)
    distiller.compile(keras.optimizers.SGD(0.1), pairs.logits_loss(), jit_compile=False)
    return distiller


def no_more_questions(distiller):
    def refuse(x):
        raise AssertionError("the teacher was asked")

    distiller._teachers.__class__ = type(
        "Silent", (type(distiller._teachers),), {"__call__": lambda s, x: refuse(x)}
    )


def test_a_fit_on_remembered_arrays_is_the_same_and_asks_nobody(tmp_path):
    x, y = pairs.pictures(20)
    live, told = distiller_of(), distiller_of()
    remembered = told.remember(x, tmp_path / "answers", batch_size=8)
    no_more_questions(told)
    fits = []
    for distiller, inputs in ((live, x), (told, remembered)):
        keras.utils.set_random_seed(1)
        weights = {0: 1.0, 1: 2.0, 2: 1.0}
        fits.append(distiller.fit(inputs, y, batch_size=8, epochs=2, verbose=0, class_weight=weights).history)
    for name, values in fits[0].items():
        np.testing.assert_allclose(fits[1][name], values, rtol=1e-4)
    for a, b in zip(live.student.get_weights(), told.student.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_answers_are_read_back_and_only_for_the_same_question(tmp_path):
    x, _ = pairs.pictures(8)
    distiller = distiller_of()
    first = distiller.remember(x, tmp_path / "answers")
    no_more_questions(distiller)
    again = distiller.remember(x, tmp_path / "answers")
    for name, values in first["teachers"].items():
        np.testing.assert_array_equal(again["teachers"][name], values)
    with pytest.raises(ValueError, match=r"holds answers that differ in \['data'\]. Received: folder="):
        distiller.remember(x + 1, tmp_path / "answers")
    kernel = distiller.teachers[0].get_layer("conv").kernel
    kernel.assign(kernel * 2)
    with pytest.raises(ValueError, match=r"differ in \['teachers'\]"):
        distiller.remember(x, tmp_path / "answers")


def test_a_data_set_of_batches_is_remembered_batch_by_batch(tmp_path):
    x, y = pairs.pictures(20)
    distiller = distiller_of()
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    wanted = distiller.evaluate(dataset, verbose=0)
    remembered = distiller.remember(dataset, tmp_path / "answers")
    no_more_questions(distiller)
    assert int(remembered.cardinality()) == 3
    np.testing.assert_allclose(distiller.evaluate(remembered, verbose=0), wanted, rtol=1e-4)
    distiller.fit(distiller.remember(dataset, tmp_path / "answers"), verbose=0, shuffle=False)


def test_a_data_set_that_changes_is_found_out(tmp_path):
    x, y = pairs.pictures(20)
    distiller = distiller_of()
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(20).batch(20)
    remembered = distiller.remember(dataset, tmp_path / "answers")
    with pytest.raises(tf.errors.InvalidArgumentError, match="gives other batches than those"):
        distiller.evaluate(remembered, verbose=0)


def test_a_failure_leaves_no_folder_behind(tmp_path):
    distiller = distiller_of()
    no_more_questions(distiller)
    with pytest.raises(AssertionError, match="was asked"):
        distiller.remember(pairs.pictures(8)[0], tmp_path / "answers")
    assert not (tmp_path / "answers").exists()


def test_what_cannot_be_remembered_is_refused(tmp_path):
    student, teacher = pairs.student_and_teacher()
    x, y = pairs.pictures(8)
    distiller = distiller_of()
    with pytest.raises(ValueError, match=r"data must be arrays.*type generator"):
        distiller.remember((batch for batch in [x]), tmp_path)
    goals = SoftTargets(outputs={"scores": "scores"})
    with pytest.raises(ValueError, match="Without a teacher there is nothing to remember"):
        Distiller(student, None, goals).remember(x, tmp_path)
    scores_only = Distiller(student, teacher).remember(x, tmp_path / "scores")
    with pytest.raises(ValueError, match=r"answers remembered lack \['0/layer/conv'\]"):
        distiller.evaluate(scores_only, y, verbose=0)
