"""Reinforcement learning of a policy over the choices, as an Optuna sampler."""

from __future__ import annotations

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from keras_shrink.search.sampler import OneByOne


class Reinforce(OneByOne):
    """Draws every choice from a policy whose logits follow the gradient of the expected score.

    The policy has a table of logits for each choice, all zero at first. After each trained candidate,
    `logits += rate * advantage * gradient(log probability)`, where the advantage is the score less a moving
    average of the scores, over their moving deviation. An entropy bonus keeps it from settling early. The
    policy is a function of the study's trials and is replayed from them, so workers share it and a killed
    one goes on. NASNet's controller does the same with a recurrent network in the place of the tables.

    Args:
        rate: Step of the logits.
        entropy: Weight of the entropy bonus.
        decay: Of the moving averages.
        warm_up: Trials drawn uniformly before the policy is used.
        seed: For the draws.

    Reference:
        Williams, 1992; Zoph and Le, 2016, arXiv:1611.01578; Zoph et al., 2017, arXiv:1707.07012.
    """

    def __init__(self, *, rate=0.25, entropy=0.01, decay=0.9, warm_up=4, seed=None):
        super().__init__(seed)
        self.rate, self.entropy, self.decay, self.warm_up = rate, entropy, decay, warm_up

    def before_trial(self, study, trial):
        """Replays the trials that were trained."""
        super().before_trial(study, trial)
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        self._logits = self._policy(trials) if len(trials) >= self.warm_up else {}

    def sample_independent(self, study, trial, name, distribution):
        """Returns a draw from the policy, a uniform one where it has no opinion."""
        options = options_of(distribution)
        logits = self._logits.get(name)
        if logits is None or len(logits) != len(options):
            return self._random.sample_independent(study, trial, name, distribution)
        return options[int(self._generator.choice(len(options), p=_softmax(logits)))]

    def _policy(self, trials):
        logits: dict[str, np.ndarray] = {}
        mean, square = trials[0].value, 0.0
        for trial in trials:
            spread = np.sqrt(square) if square > 0 else 1.0
            advantage = (trial.value - mean) / max(spread, 1e-6)
            for name, value in trial.params.items():
                options = options_of(trial.distributions[name])
                table = logits.setdefault(name, np.zeros(len(options)))
                chance = _softmax(table)
                gradient = -chance
                gradient[options.index(value)] += 1
                surprise = -np.log(np.maximum(chance, 1e-12))
                bonus = chance * (surprise - np.sum(chance * surprise))
                logits[name] = table + self.rate * np.clip(advantage, -3, 3) * gradient + self.entropy * bonus
            square = self.decay * square + (1 - self.decay) * (trial.value - mean) ** 2
            mean = self.decay * mean + (1 - self.decay) * trial.value
        return logits


def options_of(distribution):
    """Returns the values that an integer or categorical distribution allows, in order."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return list(range(distribution.low, distribution.high + 1, distribution.step or 1))


def _softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
