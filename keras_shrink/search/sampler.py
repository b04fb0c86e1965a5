"""What the samplers of this package share."""

from __future__ import annotations

import numpy as np
from optuna.samplers import BaseSampler, RandomSampler


class OneByOne(BaseSampler):
    """A sampler that is asked for every choice by itself: a space may ask different ones of each candidate.

    Args:
        seed: For the draws of `_random`, an Optuna sampler, and `_generator`, NumPy's.
    """

    def __init__(self, seed=None):
        self._random, self._generator = RandomSampler(seed), np.random.default_rng(seed)

    def reseed_rng(self):
        """New draws for a new process."""
        self._random.reseed_rng()
        self._generator = np.random.default_rng()

    def infer_relative_search_space(self, study, trial):
        """No choice is drawn together with others."""
        return {}

    def sample_relative(self, study, trial, search_space):
        """See `infer_relative_search_space`."""
        return {}
