"""The search: proposals, rejections, training, records."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_shrink as ks
import tflite_export as te
from keras_shrink.search import spaces
from keras_shrink.search.evolution import RegularizedEvolution
from keras_shrink.search.limits import Limits
from keras_shrink.search.run import search_architecture
from keras_shrink.search.training import Trainer, inherit, weights_of

SPACE = spaces.mlp((6,), 3, most_units=32, most_layers=2)


def blobs(seed, count=120):
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 3, count)
    centers = np.random.default_rng(9).normal(0, 2, (3, 6))
    return (centers[y] + generator.normal(size=(count, 6))).astype("float32"), y


TRAIN, VALIDATION = blobs(0), blobs(1)


def counting_parameters(model, train, validation, report):
    """Stands for training where only the search is looked at."""
    report(0, 0.5)
    return 1 - 1 / model.count_params()


def test_a_search_finds_trains_and_exports(tmp_path):
    found = search_architecture(
        SPACE, TRAIN, VALIDATION, folder=tmp_path, trials=2, trainer=Trainer(epochs=6, batch_size=8)
    )
    assert found.best.accuracy > 0.8
    assert len(found.candidates) + found.stopped == 2
    model = found.model()
    tflite = found.export(TRAIN[0])
    facts = te.summary(tflite, measure=False)
    assert facts.macs == found.best.cost.macs
    predicted = keras.ops.convert_to_numpy(model(VALIDATION[0])).argmax(-1)
    assert np.mean(predicted == VALIDATION[1]) == pytest.approx(found.best.accuracy, abs=0.05)


def test_what_breaks_a_limit_is_never_built(tmp_path):
    seen = []

    def trainer(model, train, validation, report):
        seen.append(model.count_params())
        return 0.5

    found = search_architecture(
        SPACE, TRAIN, VALIDATION, folder=tmp_path, trials=6, trainer=trainer, limits=Limits(weights=300),
        strategy="random",
    )  # fmt: skip
    assert len(seen) == 6
    assert found.rejected > 0
    assert max(candidate.cost.weight_bytes for candidate in found.candidates) <= 300


def test_limits_that_nothing_meets_are_an_error_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_shrink.search.run._MOST_REJECTED_IN_A_ROW", 20)
    with pytest.raises(ValueError, match=r"20 candidates in a row break the limits \(macs 20 times\)"):
        search_architecture(SPACE, TRAIN, VALIDATION, folder=tmp_path, limits=Limits(macs=1), trials=1)


def test_the_same_folder_goes_on_and_does_not_repeat(tmp_path):
    first = search_architecture(
        SPACE, TRAIN, VALIDATION, folder=tmp_path, trials=3, trainer=counting_parameters
    )
    second = search_architecture(
        SPACE, TRAIN, VALIDATION, folder=tmp_path, trials=5, trainer=counting_parameters
    )
    numbers = {candidate.number for candidate in second.candidates}
    assert {candidate.number for candidate in first.candidates} < numbers
    assert len(numbers) == 5
    third = search_architecture(
        SPACE, TRAIN, VALIDATION, folder=tmp_path, trials=5, trainer=counting_parameters
    )
    assert third.candidates == second.candidates


@pytest.mark.parametrize("strategy", ["random", "evolution", "reinforcement", "bayesian"])
def test_none_is_trained_twice_while_there_are_others(tmp_path, strategy):
    space, trained = spaces.mlp((6,), 3, most_units=12, most_layers=1), []

    def trainer(model, train, validation, report):
        trained.append(model.count_params())
        return len(trained) / 100

    settings = {"folder": tmp_path, "trainer": trainer, "strategy": strategy}
    search_architecture(space, TRAIN, VALIDATION, **settings, trials=4)
    assert len(set(trained)) == 4  # all there are: no hidden layer, or one of 4, 8 or 12 units
    found = search_architecture(space, TRAIN, VALIDATION, **settings, trials=5)
    assert len(found.candidates) == len(trained) == 5


def test_poor_candidates_are_given_up(tmp_path):
    epochs = []

    def trainer(model, train, validation, report):
        number = len(epochs)
        for epoch in range(10):
            report(epoch, 1 / (1 + number))
            if epoch == 0:
                epochs.append(0)
            epochs[number] = epoch
        return 1 / (1 + number)

    found = search_architecture(SPACE, TRAIN, VALIDATION, folder=tmp_path, trials=14, trainer=trainer)
    assert found.stopped > 0
    assert min(epochs[8:]) < 9


def test_several_objectives_give_a_front(tmp_path):
    found = search_architecture(
        SPACE, TRAIN, VALIDATION, folder=tmp_path, trials=12, trainer=counting_parameters,
        strategy="nsga2", objectives=("accuracy", "flash_bytes"),
    )  # fmt: skip
    front = found.front("flash_bytes")
    assert [c.accuracy for c in front] == sorted(c.accuracy for c in front)
    assert [c.cost.flash_bytes for c in front] == sorted(c.cost.flash_bytes for c in front)
    assert front[-1].accuracy == found.best.accuracy
    assert str(found.best.number) in str(found)
    axes = Figure().subplots(1, 3)
    found.plot(axes)
    assert [axis.get_xlabel() for axis in axes] == ["flash bytes", "ram bytes", "instructions"]


def test_a_space_may_return_keras_models(tmp_path):
    def space(choices):
        units = choices.int("units", 2, 4)
        return keras.Sequential([keras.Input((6,)), keras.layers.Dense(units), keras.layers.Dense(3)])

    found = search_architecture(
        space,
        TRAIN,
        VALIDATION,
        folder=tmp_path,
        trials=1,
        trainer=counting_parameters,
        limits=Limits(macs=1000),
    )
    assert found.best.cost.macs == found.best.choices["units"] * 9
    assert found.model().count_params() == found.best.choices["units"] * 10 + 3


def test_children_start_from_their_parents_weights(tmp_path):
    starts = []

    def trainer(model, train, validation, report):
        starts.append(model.variables[0].numpy().copy())
        model.variables[0].assign(np.full(model.variables[0].shape, 7.0))
        return len(starts) / 100

    search_architecture(
        SPACE,
        TRAIN,
        VALIDATION,
        folder=tmp_path,
        trials=12,
        trainer=trainer,
        strategy=RegularizedEvolution(inherit_weights=True, seed=0),
    )
    assert not any((start == 7).any() for start in starts[:8])
    assert all((start == 7).any() for start in starts[8:])


def test_inheritance_takes_the_common_part():
    small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="a")], name="m")
    large = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="a")], name="m")
    assert inherit(large, weights_of(small)) == 2
    np.testing.assert_array_equal(large.variables[0][:, :2], small.variables[0])
    assert inherit(large, {"a/kernel": np.zeros(3)}) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"space": 3}, "space must be a function"),
        ({"limits": 3}, r"limits must be Limits\(...\)"),
        ({"trials": 0}, "trials must be an integer of at least 1"),
        ({"objectives": ("speed",)}, "objectives must be a tuple of some of accuracy, flash_bytes"),
        ({"objectives": "accuracy"}, "objectives must be a tuple"),
        ({"space": lambda choices: 3}, "must return a Sketch or a Keras model. Received: int"),
    ],
)
def test_bad_arguments_are_named(tmp_path, settings, message):
    given = {"space": SPACE, "train": TRAIN, "validation": VALIDATION, "folder": tmp_path, **settings}
    with pytest.raises(ValueError, match=message):
        search_architecture(**given)


def test_another_objective_in_the_same_folder_is_refused(tmp_path):
    search_architecture(SPACE, TRAIN, VALIDATION, folder=tmp_path, trials=1, trainer=counting_parameters)
    with pytest.raises(ValueError, match="has the objectives"):
        search_architecture(SPACE, TRAIN, VALIDATION, folder=tmp_path, trials=1, objectives=("macs",))


WORKER = """
    import sys, time, numpy as np
    from pathlib import Path
    from keras_shrink.search import spaces
    from keras_shrink.search.run import search_architecture

    folder, slow = Path(sys.argv[1]), float(sys.argv[2])
    while slow < 1 and not list(folder.glob("training_*")):
        time.sleep(0.05)

    def trainer(model, train, validation, report):
        report(0, 0.5)
        (folder / f"training_{model.count_params()}_{time.time()}").touch()
        time.sleep(slow)
        return 0.5

    data = np.zeros((4, 6), "float32"), np.zeros(4, int)
    space = spaces.mlp((6,), 3, most_units=32, most_layers=2)
    seed = int(sys.argv[3])
    settings = {"trials": 10, "trainer": trainer, "strategy": "random", "seed": seed}
    search_architecture(space, data, data, folder=folder, **settings)
"""


@pytest.mark.slow
def test_workers_share_a_search_and_one_that_is_killed_loses_nothing(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER))
    folder = tmp_path / "search"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(ks.__file__).parent.parent),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }

    def start(slow, seed):
        command = [sys.executable, str(script), str(folder), str(slow), str(seed)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def trainer(model, train, validation, report):
        report(0, 0.5)
        (folder / f"training_{model.count_params()}_{time.time()}").touch()
        time.sleep(0.2)
        return 0.5

    stuck, worker = start(1000, 0), start(0.2, 1)
    deadline = time.monotonic() + 120
    while len(list(folder.glob("training_*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    stuck.send_signal(signal.SIGKILL)
    stuck.communicate()
    settings = {"folder": folder, "trials": 10, "trainer": trainer, "strategy": "random", "seed": 2}
    search_architecture(SPACE, TRAIN, VALIDATION, **settings)
    _, said = worker.communicate(timeout=180)
    assert worker.returncode == 0, said.decode()[-500:]
    found = search_architecture(SPACE, TRAIN, VALIDATION, **settings)  # all that both have trained
    assert len(found.candidates) == 10
    assert {candidate.accuracy for candidate in found.candidates} == {0.5}
    log = [json.loads(line) for line in (folder / "record.log").read_text().splitlines()]
    assert sum("retried" in str(entry) for entry in log) == 1
    assert len(list(folder.glob("training_*"))) == 11  # the one that was killed was trained again
