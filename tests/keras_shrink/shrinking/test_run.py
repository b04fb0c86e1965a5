"""`shrink`: what it does until the budget is met, and what it says where it cannot be met."""

import dataclasses
import json

import keras
import numpy as np
import pytest

import keras_shrink as ks
from keras_shrink import scoring
from keras_shrink.shrinking import measuring, work
from keras_shrink.shrinking.recipe import Planned, Recipe
from keras_shrink.shrinking.record import Journal
from keras_shrink.shrinking.steps import TECHNIQUES
from keras_shrink.shrinking.training import Pieces, Training

pytestmark = pytest.mark.slow
QUICK = Recipe(training=Training(epochs=2, batch_size=32, learning_rate=3e-3))


def tflm(**limits):
    return ks.Budget(runtime="tflm", **{"max_accuracy_drop": 0.05, **limits})


@pytest.fixture(scope="module")
def done(model, data, tmp_path_factory):
    """One whole run in a folder of its own: int8 has 7,0xx bytes, 4 bits alone are not enough."""
    folder = tmp_path_factory.mktemp("done")
    before = [weight.copy() for weight in model.get_weights()]
    result = ks.shrink(model, *data, tflm(flash=4600), folder=folder, recipe=QUICK)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    return result


def test_the_budget_is_met_on_the_file_itself(done, data):
    assert done.met, done
    assert len(done.tflite.bytes) <= 4600
    assert done.best.flash_bytes == len(done.tflite.bytes)
    assert done.best.accuracy >= done.original_accuracy - 0.05
    assert done.best.accuracy == scoring.device_score(done.tflite, data[1])
    assert done.verify().within(2.0)


def test_every_step_is_in_the_record(done):
    names = [step.name for step in done.steps]
    assert names[0] == "start"
    assert len(names) >= 3
    assert all(step.reason and step.seconds >= 0 and step.ram_bytes > 0 for step in done.steps)
    sizes = [step.flash_bytes for step in done.steps if step.accepted]
    assert sizes == sorted(sizes, reverse=True)
    assert Journal(done.folder, {}).steps == list(done.steps)
    assert "The budget is met (flash 4,600, accuracy at least" in str(done)


def test_what_is_done_is_not_done_again(done, model, data, monkeypatch):
    monkeypatch.setattr(Pieces, "run", lambda *_: pytest.fail("trained again"))
    again = ks.shrink(model, *data, tflm(flash=4600), folder=done.folder, recipe=QUICK)
    assert again.steps == done.steps
    assert again.tflite.bytes == done.tflite.bytes


def test_other_arguments_need_another_folder(done, model, data):
    with pytest.raises(ValueError, match="steps of other work: budget, seed differ"):
        ks.shrink(model, *data, tflm(flash=4000), folder=done.folder, recipe=QUICK, seed=1)


def test_a_killed_run_goes_on_in_the_middle_of_training(model, data, tmp_path, monkeypatch):
    class KilledError(BaseException):
        pass

    keep, epochs = Pieces._keep, []

    def kill(pieces, done):
        keep(pieces, done)
        raise KilledError

    def count(pieces, done):
        epochs.append(done)
        keep(pieces, done)

    arguments = {"folder": tmp_path, "recipe": Recipe((Planned("train"),), QUICK.training)}
    with monkeypatch.context() as patched:
        patched.setattr(Pieces, "_keep", kill)
        with pytest.raises(KilledError):
            ks.shrink(model, *data, tflm(flash="1 MiB"), **arguments)
    assert (tmp_path / "trying.npz").exists()
    monkeypatch.setattr(Pieces, "_keep", count)
    result = ks.shrink(model, *data, tflm(flash="1 MiB"), **arguments)
    assert epochs == [2]
    assert [step.name for step in result.steps] == ["start", "train"]
    assert not list(tmp_path.glob("trying*"))


def test_ctrl_c_leaves_the_best_so_far(model, data, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Pieces, "run", interrupt)
    training = Recipe((Planned("train"),), QUICK.training)
    result = ks.shrink(model, *data, tflm(flash=4600), folder=tmp_path, recipe=training)
    assert (result.met, result.reason) == (False, "interrupted")
    assert result.best.name == "start"
    assert len(result.tflite.bytes) == result.best.flash_bytes


def test_a_step_that_costs_too_much_is_taken_back_and_tried_with_less(model, data, monkeypatch):
    """Without training and with nothing to lose it fails three times, with half as much each time."""
    monkeypatch.setattr(work, "TECHNIQUES", {"factorize": TECHNIQUES["factorize"]})
    untrained = Recipe(training=Training(epochs=0))
    result = ks.shrink(model, *data, tflm(flash=4600, max_accuracy_drop=0.0), recipe=untrained)
    assert [step.name for step in result.steps] == ["start", "factorize", "factorize", "factorize"]
    tried = result.steps[1:]
    assert not any(step.accepted for step in tried)
    left = [1 - float(step.amount.split("=")[1]) for step in tried]
    assert left == pytest.approx([left[0], left[0] / 2, left[0] / 4], abs=1e-3)
    assert "more than 0" in tried[0].reason
    assert not result.met
    assert "flash is" in result.reason
    assert "times the limit of 4,600; given up: factorize" in result.reason
    assert result.best.name == "start"
    assert f"is not met (flash 4,600, accuracy at least {result.original_accuracy:.4f})" in str(result)


def test_what_can_never_fit_is_refused_before_any_work(model, data, tmp_path):
    with pytest.raises(
        ValueError, match="can never meet the budget:\n- ram: with every.*\n- flash: with every"
    ):
        ks.shrink(model, *data, tflm(flash=700, ram=500), folder=tmp_path)
    assert not list(tmp_path.glob("*.keras"))


def test_an_operator_that_the_runtime_lacks_is_named(model, data, monkeypatch):
    monkeypatch.setattr(measuring.tflm_operators, "missing_operators", lambda graph: ["CONV_2D"])
    with pytest.raises(ValueError, match="budget:\n- TensorFlow Lite Micro does not have CONV_2D"):
        ks.shrink(model, *data, tflm(flash=4600))


def test_a_recipe_is_followed(model, data):
    steps = (
        Planned("cluster", {"clusters": 16}, epochs=0, max_accuracy_drop=1.0),
        Planned("prune", {"sparsity": 0.5}, epochs=1, max_accuracy_drop=1.0),
    )
    result = ks.shrink(model, *data, tflm(download="1 MiB"), recipe=Recipe(steps, QUICK.training))
    assert [step.name for step in result.steps] == ["start", "cluster", "prune"]
    assert [step.amount for step in result.steps] == [None, "clusters=16", "sparsity=0.5"]
    assert all(step.accepted for step in result.steps)
    kernels = [t.data for t in result.tflite.graph.main.tensors if t.data is not None and t.data.ndim > 1]
    assert sum((k == 0).sum() for k in kernels) >= 0.45 * sum(k.size for k in kernels)
    assert all(len(np.unique(kernel)) <= 17 for row in kernels[-1:] for kernel in row)


def test_the_standalone_c_is_what_counts_where_it_is_the_runtime():
    """Flash is the linked image, RAM its static memory, and strips save RAM without touching the accuracy."""
    generator = np.random.default_rng(0)
    pictures = generator.normal(size=(64, 24, 24, 1)).astype("float32"), generator.integers(0, 3, 64)
    large = keras.Sequential(
        [
            keras.Input((24, 24, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    budget = ks.Budget(flash="1 MiB", ram=3500, max_accuracy_drop=1.0)
    result = ks.shrink(large, pictures, pictures, budget)
    start, strips = result.steps
    assert start.instructions > 100_000
    assert start.flash_bytes > large.count_params()
    assert start.ram_bytes > 3500
    assert (strips.name, strips.accuracy, result.met) == ("strips", start.accuracy, True)
    assert strips.ram_bytes <= 3500
    assert result.strips > 1


def test_arguments_that_are_not_allowed_are_named(model, data):
    with pytest.raises(ValueError, match=r"budget must be Budget\(...\). Received: budget=64"):
        ks.shrink(model, *data, 64)
    with pytest.raises(ValueError, match=r"data must be a pair \(inputs, labels\)"):
        ks.shrink(model, data[0][0], data[1], tflm(flash=1))
    with pytest.raises(ValueError, match="metric must be 'accuracy' or a function"):
        ks.shrink(model, *data, tflm(flash=1), metric="f1")


def test_every_accepted_step_left_its_model_and_its_line(done, model):
    assert {step.checkpoint for step in done.steps if step.accepted} <= {
        p.name for p in done.folder.iterdir()
    }
    entries = [json.loads(line) for line in (done.folder / "steps.jsonl").read_text().splitlines()]
    assert entries[1:] == [dataclasses.asdict(step) for step in done.steps]
    assert keras.saving.load_model(done.folder / done.best.checkpoint, compile=False).name == model.name
