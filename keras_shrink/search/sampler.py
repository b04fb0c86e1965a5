"""What the samplers of this package share: draws that belong to a trial, not to a process."""

from __future__ import annotations

import numpy as np
from optuna.samplers import BaseSampler, RandomSampler


class OneByOne(BaseSampler):
    """A sampler that is asked for every choice by itself: a space may ask different ones of each candidate.

    Draws follow from the seed and the number of the trial: a search that was killed goes on with other
    candidates than it began with, and processes that share it draw others, though they have the same seed.

    Args:
        seed: For the draws of `_random`, an Optuna sampler, and `_generator`, NumPy's. None for any.
    """

    def __init__(self, seed=None):
        self.seed = seed
        self._begin(0)

    def _begin(self, number):
        seed = seed_of(self.seed, number)
        self._random, self._generator = RandomSampler(seed), np.random.default_rng(seed)

    def reseed_rng(self):
        """Nothing to do: draws belong to a trial."""

    def before_trial(self, study, trial):
        """Starts the draws of a trial."""
        self._begin(trial.number)

    def infer_relative_search_space(self, study, trial):
        """No choice is drawn together with others."""
        return {}

    def sample_relative(self, study, trial, search_space):
        """See `infer_relative_search_space`."""
        return {}

    def sample_independent(self, study, trial, name, distribution):
        """Returns any value, each equally likely."""
        return self._random.sample_independent(study, trial, name, distribution)


class Afresh(BaseSampler):
    """A sampler of Optuna's that keeps nothing but random numbers: made anew for each trial, as `OneByOne`.

    Args:
        make: Function `seed -> sampler`.
        seed: Of the search.
    """

    def __init__(self, make, seed=None):
        self._make, self.seed = make, seed
        self._of_trial: dict[int, BaseSampler] = {}

    def reseed_rng(self):
        """Nothing to do: draws belong to a trial."""

    def before_trial(self, study, trial):
        """Makes the sampler of a trial."""
        self._of_trial[trial.number] = self._make(seed_of(self.seed, trial.number))
        self._of_trial[trial.number].before_trial(study, trial)

    def infer_relative_search_space(self, study, trial):
        """What the sampler says."""
        return self._sampler(trial).infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space):
        """What the sampler says."""
        return self._sampler(trial).sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, name, distribution):
        """What the sampler says."""
        return self._sampler(trial).sample_independent(study, trial, name, distribution)

    def after_trial(self, study, trial, state, values):
        """Forgets the sampler."""
        self._sampler(trial).after_trial(study, trial, state, values)
        self._of_trial.pop(trial.number, None)

    def _sampler(self, trial):
        # A trial that another process began, and this one ends, has none here.
        return self._of_trial.get(trial.number) or self._make(seed_of(self.seed, trial.number))


def seed_of(seed, number):
    """Returns a seed for one trial of a search with a seed; None stays.

    Example:
    >>> seed_of(0, 1) == seed_of(0, 1), seed_of(0, 1) == seed_of(0, 2)
    (True, False)
    """
    return None if seed is None else int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
