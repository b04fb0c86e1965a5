"""Regularized evolution as an Optuna sampler."""

from __future__ import annotations

import optuna
from optuna.trial import TrialState

from keras_shrink.search.sampler import OneByOne

PARENT = "parent"


class RegularizedEvolution(OneByOne):
    """Changes one choice of the best of a few candidates, drawn from the youngest.

    The population is the last candidates that were trained, whoever trained them; the oldest die however
    good they are, so that a lucky score does not last. Nothing is kept besides the study's trials: any number
    of workers share one evolution, and one that was killed goes on from there. A child names its parent in
    the attribute `"parent"`.

    Args:
        population: How many of the youngest live.
        tournament: How many of them are drawn to compete; so many are drawn at random before the first child.
        inherit_weights: Whether a child starts from its parent's weights where their shapes overlap.
        seed: For the draws.

    Reference:
        Real et al., 2018, arXiv:1802.01548.
    """

    def __init__(self, *, population=12, tournament=8, inherit_weights=False, seed=None):
        super().__init__(seed)
        self.population, self.tournament = population, tournament
        self.inherit_weights = inherit_weights
        self._parents: dict[int, tuple[dict, str | None]] = {}

    def before_trial(self, study, trial):
        """Draws the parent of a trial and the choice to change; none before there are enough."""
        super().before_trial(study, trial)
        alive = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))[-self.population :]
        if len(alive) < self.tournament:
            return
        rng = self._generator
        drawn = [alive[i] for i in rng.choice(len(alive), min(self.tournament, len(alive)), replace=False)]
        sign = 1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else -1
        parent = max(drawn, key=lambda candidate: sign * candidate.value)
        names = [name for name, space in parent.distributions.items() if not space.single()]
        changed = names[rng.integers(len(names))] if names else None
        self._parents[trial.number] = parent.params, changed
        study._storage.set_trial_user_attr(trial._trial_id, PARENT, parent.number)

    def sample_independent(self, study, trial, name, distribution):
        """Returns the parent's value, another for the choice that changes, a random one without either."""
        values, changed = self._parents.get(trial.number, ({}, None))
        if name not in values or not distribution._contains(distribution.to_internal_repr(values[name])):
            return self._random.sample_independent(study, trial, name, distribution)
        if name != changed or distribution.single():
            return values[name]
        while True:
            value = self._random.sample_independent(study, trial, name, distribution)
            if value != values[name]:
                return value

    def after_trial(self, study, trial, state, values):
        """Forgets the parent."""
        self._parents.pop(trial.number, None)
