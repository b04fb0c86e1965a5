"""The policy that a supernet learns."""

import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import optuna
import pytest

from keras_shrink.search import spaces
from keras_shrink.search.choices import Chosen, OfTrial
from keras_shrink.search.costs import cost_of
from keras_shrink.search.expected_cost import excess
from keras_shrink.search.gradient import Gradient
from keras_shrink.search.limits import Limits
from keras_shrink.search.run import search_architecture
from keras_shrink.search.supernet import Supernet

SPACE = spaces.mlp((2,), 2, most_units=16, most_layers=2)
INPUTS = np.random.default_rng(0).uniform(-1, 1, (600, 2)).astype("float32")
TRAIN = INPUTS, (INPUTS[:, 0] * INPUTS[:, 1] > 0).astype(int)  # nothing that is linear can tell them apart


def learned(folder, *, limits=None, **settings):
    gradient = Gradient(**{"epochs": 6, "batch_size": 20, "learning_rate": 0.02, "seed": 0, **settings})
    gradient.prepare(SPACE, TRAIN, limits or Limits(), folder)
    return gradient.chances


def test_what_the_data_needs_becomes_likely_and_what_it_costs_less_so(tmp_path):
    free = learned(tmp_path)
    assert free["layers"][0] < 0.1
    small = {"limits": Limits(weights=60), "cost_weight": 10.0}
    bound = learned(tmp_path / "small", **small)
    expected = excess(SPACE, small["limits"], np.random.default_rng(0))
    assert float(expected(bound)) < float(expected(free)) - 0.5
    again = learned(tmp_path / "again", **small)
    np.testing.assert_array_equal(again["units_1"], bound["units_1"])


def test_a_search_trains_likely_candidates_that_fit_and_none_twice(tmp_path):
    def counting(model, train, validation, report):
        report(0, 0.5)
        return 1 / model.count_params()

    settings = {"folder": tmp_path, "limits": Limits(weights=200), "trainer": counting}
    strategy = Gradient(epochs=1, seed=0)
    found = search_architecture(SPACE, TRAIN, TRAIN, **settings, trials=6, strategy=strategy)
    assert len({tuple(candidate.choices.items()) for candidate in found.candidates}) == 6
    assert found.rejected == 0
    policy = (tmp_path / "policy.json").read_bytes()
    more = search_architecture(SPACE, TRAIN, TRAIN, **settings, trials=8, strategy="gradient")
    assert len(more.candidates) == 8
    assert (tmp_path / "policy.json").read_bytes() == policy  # not learned again


CERTAIN = {"layers": [0.0, 0.0, 1.0], "units_1": [0.0, 0.0, 0.0, 1.0], "units_2": [0.0, 0.0, 0.0, 1.0]}


@pytest.mark.parametrize("doubt", [0.0, 0.2])
def test_doubt_finds_what_fits_where_the_supernet_is_sure_of_what_does_not(tmp_path, monkeypatch, doubt):
    monkeypatch.setattr(Gradient, "_trained", lambda *_: CERTAIN)
    found = search_architecture(
        SPACE, TRAIN, TRAIN, folder=tmp_path, limits=Limits(weights=200), trainer=lambda *_: 0.5,
        strategy=Gradient(seed=0, doubt=doubt), trials=5,
    )  # fmt: skip
    assert (found.rejected == 0) == (doubt > 0)  # what nothing is proposed for is drawn at random


def test_scores_correct_what_the_supernet_thought():
    def score_of_last(rate):
        gradient = Gradient(seed=0, rate=rate)
        gradient.chances = {name: np.array(chances) for name, chances in CERTAIN.items()}
        gradient._space, gradient._limits = SPACE, Limits()
        study = optuna.create_study(direction="maximize", sampler=gradient)
        for _ in range(14):
            trial = study.ask()
            study.tell(trial, -cost_of(SPACE(OfTrial(trial)).graph()).weight_bytes)
        return np.mean([trial.value for trial in study.trials[-7:]])

    assert score_of_last(0.5) > score_of_last(0.0) + 20


def test_a_supernet_that_was_killed_goes_on(tmp_path, monkeypatch):
    epochs, fit = [], Supernet.fit

    def watched(stop):
        def on_end(epoch, logs):
            epochs.append(epoch)
            if epoch == stop:
                raise KeyboardInterrupt

        def run(self, *given, callbacks, **settings):
            watcher = keras.callbacks.LambdaCallback(on_epoch_end=on_end)
            return fit(self, *given, callbacks=[*callbacks, watcher], **settings)

        return run

    monkeypatch.setattr(Supernet, "fit", watched(stop=1))
    with pytest.raises(KeyboardInterrupt):
        learned(tmp_path, epochs=4)
    monkeypatch.setattr(Supernet, "fit", watched(stop=None))
    learned(tmp_path, epochs=4)
    assert epochs == [0, 1, 2, 3]


def test_of_several_workers_one_trains_the_supernet(tmp_path, monkeypatch):
    trained = []

    def slow(self, *_):
        trained.append(self)
        time.sleep(0.3)
        return {"layers": [0.2, 0.8]}

    monkeypatch.setattr(Gradient, "_trained", slow)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: learned(tmp_path / "shared"), range(3)))
    assert len(trained) == 1
    assert [chances["layers"].tolist() for chances in found] == [[0.2, 0.8]] * 3


def test_the_expected_cost_is_about_the_true_one():
    space = spaces.ds_cnn((16, 16, 1), 4, most_filters=16, most_blocks=3)
    generator = np.random.default_rng(0)
    supernet = Supernet(space, seed=0)
    expected = excess(space, Limits(flash=1, macs=1), generator)  # far too small: the excess is the logarithm
    for filters in (4, 16):
        values = {name: options[-1] for name, options in supernet.options.items()}
        values |= {"filters_1": filters, "filters_2": filters, "stem_filters": filters, "blocks": 2}
        chances = {
            name: np.eye(len(options), dtype="float32")[options.index(values[name])]
            for name, options in supernet.options.items()
        }
        cost = cost_of(space(Chosen(values)).graph())
        assert float(expected(chances)) == pytest.approx(
            np.log(cost.flash_bytes) + np.log(cost.macs), abs=1.0
        )
    assert excess(space, Limits(), generator) is None
