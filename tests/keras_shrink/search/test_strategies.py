"""Who chooses the next candidate."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution

from keras_shrink.search.choices import OfTrial
from keras_shrink.search.reinforcement import learned_logits, softmax
from keras_shrink.search.strategies import STRATEGIES, as_sampler

optuna.logging.set_verbosity(optuna.logging.ERROR)


def hidden_score(choices):
    """Best at all sixes; every choice counts alone, so that there is something to learn."""
    values = [choices.int(f"choice_{i}", 0, 9) for i in range(6)]
    bonus = 0.5 * (choices.categorical("kind", ("a", "b", "c")) == "b")
    return bonus - sum(abs(value - 6) for value in values) / 54


def best_after(strategy, trials, seed):
    study = optuna.create_study(direction="maximize", sampler=as_sampler(strategy, seed))
    for _ in range(trials):
        trial = study.ask()
        study.tell(trial, hidden_score(OfTrial(trial)))
    return study


def mean_of_last(study, count=30):
    return float(np.mean([trial.value for trial in study.trials[-count:]]))


BY_SCORES = [name for name in STRATEGIES if name != "gradient"]  # which learns from data


@pytest.mark.parametrize("strategy", [name for name in BY_SCORES if name != "random"])
def test_every_strategy_learns_what_random_does_not(strategy):
    learned = np.mean([mean_of_last(best_after(strategy, 150, seed)) for seed in range(2)])
    chance = np.mean([mean_of_last(best_after("random", 150, seed)) for seed in range(2)])
    assert learned > chance + 0.1


@pytest.mark.parametrize("strategy", BY_SCORES)
def test_a_seed_repeats_the_search(strategy):
    first, second, other = (best_after(strategy, 40, seed) for seed in (0, 0, 1))
    assert [trial.params for trial in first.trials] == [trial.params for trial in second.trials]
    assert [trial.params for trial in first.trials] != [trial.params for trial in other.trials]


@pytest.mark.parametrize("strategy", BY_SCORES)
def test_a_search_that_was_killed_goes_on_as_if_nothing_had_been(strategy):
    whole = best_after(strategy, 30, 0)
    study = optuna.create_study(direction="maximize", storage=optuna.storages.InMemoryStorage())
    for _ in range(30):
        study.sampler = as_sampler(strategy, 0)  # as in a new process
        trial = study.ask()
        study.tell(trial, hidden_score(OfTrial(trial)))
    assert [trial.params for trial in study.trials] == [trial.params for trial in whole.trials]
    assert len({tuple(trial.params.values()) for trial in study.trials[:8]}) == 8


def test_a_child_differs_from_its_parent_in_one_choice():
    study = best_after("evolution", 60, 0)
    children = [trial for trial in study.trials if "parent" in trial.user_attrs]
    assert len(children) == 60 - 8
    for child in children:
        parent = study.trials[child.user_attrs["parent"]]
        assert sum(child.params[name] != value for name, value in parent.params.items()) == 1


def test_one_very_poor_candidate_does_not_hide_what_tells_the_good_ones_apart():
    options = CategoricalDistribution(("a", "b"))
    trials = [
        optuna.trial.create_trial(params={"kind": kind}, distributions={"kind": options}, value=score)
        for kind, score in [("a", 0.90), ("b", 0.91)] * 5 + [("b", 0.0)]
    ]
    chances = softmax(learned_logits(trials, {}, rate=0.5, entropy=0.01)["kind"])
    assert chances[1] > 0.7
    begun = {"kind": np.array([5.0, 0.0])}
    assert softmax(learned_logits(trials, begun, rate=0.0, entropy=0.0)["kind"])[0] > 0.99


def test_a_policy_that_is_sure_of_what_may_not_be_trained_gives_way():
    study = optuna.create_study(direction="maximize", sampler=as_sampler("reinforcement", 0))
    for kind, score in [("good", 1.0), ("poor", 0.0)] * 8:
        study.enqueue_trial({"kind": kind})
        study.tell(study.ask({"kind": CategoricalDistribution(("good", "poor"))}), score)
    drawn = []
    for _ in range(1000):
        trial = study.ask()
        drawn.append(trial.suggest_categorical("kind", ("good", "poor")) == "poor")
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    assert np.mean(drawn[:100]) < 0.05 < 0.1 < np.mean(drawn[-200:])


def test_choices_that_the_parent_did_not_have_are_drawn():
    def space(choices):
        depth = choices.int("depth", 1, 4)
        return sum(choices.int(f"width_{i}", 1, 5) for i in range(depth))

    for strategy in ("evolution", "reinforcement"):
        study = optuna.create_study(direction="maximize", sampler=as_sampler(strategy, 0))
        for _ in range(80):
            trial = study.ask()
            study.tell(trial, space(OfTrial(trial)))
        assert study.best_value >= 16


def test_unknown_strategies_are_named():
    with pytest.raises(
        ValueError, match="strategy must be one of random, evolution.*Received: strategy='magic'"
    ):
        as_sampler("magic", 0)
    with pytest.raises(ValueError, match="a name or an Optuna sampler. Received: int"):
        as_sampler(3, 0)
