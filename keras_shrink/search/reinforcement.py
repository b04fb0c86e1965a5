"""Reinforcement learning of a policy over the choices, as an Optuna sampler."""

from __future__ import annotations

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from keras_shrink.search.sampler import OneByOne

_PATIENCE = 200  # proposals without a training after which logits count half


class Reinforce(OneByOne):
    """Draws every choice from a policy whose logits follow the gradient of the expected score.

    The policy has a table of logits for each choice, all zero at first. For each trained candidate,
    `logits += rate * advantage * gradient(log probability)`, where the advantage is the rank of its score
    among all so far, evenly spaced with mean 0 and deviation 1: a few very poor candidates do not hide what
    tells the good ones apart. An entropy bonus keeps the policy from settling early. It is a function of the
    study's trials and is replayed from them, so workers share it and a killed one goes on. Where it proposes
    what may not be trained again and again, its draws become more even. NASNet's controller does the same
    with a recurrent network in the place of the tables.

    Args:
        rate: Step of the logits.
        entropy: Weight of the entropy bonus.
        warm_up: Trials drawn uniformly before the policy is used.
        seed: For the draws.

    Reference:
        Williams, 1992; Zoph and Le, 2016, arXiv:1611.01578; Zoph et al., 2017, arXiv:1707.07012; Wierstra et
        al., 2011 (ranks in the place of scores), arXiv:1106.4487.
    """

    def __init__(self, *, rate=0.5, entropy=0.01, warm_up=4, seed=None):
        super().__init__(seed)
        self.rate, self.entropy, self.warm_up = rate, entropy, warm_up
        self._replayed, self._logits, self._temperature = [], {}, 1.0

    def before_trial(self, study, trial):
        """Replays the trials that were trained, if there are new ones."""
        super().before_trial(study, trial)
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        numbers = [each.number for each in trials]
        self._temperature = 1 + (trial.number - max(numbers, default=0)) / _PATIENCE
        if numbers != self._replayed:
            learned = len(trials) >= self.warm_up
            self._logits = learned_logits(trials, {}, self.rate, self.entropy) if learned else {}
            self._replayed = numbers

    def sample_independent(self, study, trial, name, distribution):
        """Returns a draw from the policy, a uniform one where it has no opinion."""
        options = options_of(distribution)
        logits = self._logits.get(name)
        if logits is None or len(logits) != len(options):
            return self._random.sample_independent(study, trial, name, distribution)
        return options[int(self._generator.choice(len(options), p=softmax(logits / self._temperature)))]


def learned_logits(trials, start, rate, entropy):
    """Returns name of a choice -> logits, after the policy gradient of each trial's rank.

    Args:
        trials: Of Optuna, trained to the end.
        start: Name of a choice -> logits; zero where there are none.
        rate: Step of the logits.
        entropy: Weight of the entropy bonus.
    """
    logits = dict(start)
    values = np.array([trial.value for trial in trials])
    for trial in trials:
        rank = np.mean(values < trial.value) + np.mean(values == trial.value) / 2
        advantage = 3**0.5 * (2 * rank - 1)
        for name, value in trial.params.items():
            options = options_of(trial.distributions[name])
            table = logits.get(name, np.zeros(len(options)))
            chance = softmax(table)
            gradient = -chance
            gradient[options.index(value)] += 1
            surprise = -np.log(np.maximum(chance, 1e-12))
            bonus = chance * (surprise - np.sum(chance * surprise))
            logits[name] = table + rate * advantage * gradient + entropy * bonus
    return logits


def options_of(distribution):
    """Returns the values that an integer or categorical distribution allows, in order."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return list(range(distribution.low, distribution.high + 1, distribution.step or 1))


def softmax(logits):
    """Returns the probabilities of some logits."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
