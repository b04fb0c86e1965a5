"""The strategies by name: who chooses the next candidate."""

from __future__ import annotations

from optuna.samplers import NSGAIISampler, TPESampler

from keras_shrink.search.evolution import RegularizedEvolution
from keras_shrink.search.gradient import Gradient
from keras_shrink.search.reinforcement import Reinforce
from keras_shrink.search.sampler import Afresh, OneByOne

STRATEGIES = {
    "random": lambda seed: OneByOne(seed),
    "evolution": lambda seed: RegularizedEvolution(seed=seed),
    "reinforcement": lambda seed: Reinforce(seed=seed),
    "gradient": lambda seed: Gradient(seed=seed),
    "bayesian": lambda seed: Afresh(lambda own: TPESampler(seed=own, n_startup_trials=10), seed),
    "nsga2": lambda seed: Afresh(lambda own: NSGAIISampler(seed=own, population_size=24), seed),
}


def as_sampler(strategy, seed):
    """Returns the Optuna sampler meant by a name, or the sampler itself.

    Raises:
        ValueError: If the name is unknown.
    """
    if isinstance(strategy, str):
        if strategy not in STRATEGIES:
            raise ValueError(
                f"strategy must be one of {', '.join(STRATEGIES)}, or an Optuna sampler. "
                f"Received: strategy={strategy!r}."
            )
        return STRATEGIES[strategy](seed)
    if not hasattr(strategy, "sample_independent"):
        raise ValueError(
            f"strategy must be a name or an Optuna sampler. Received: {type(strategy).__name__}."
        )
    return strategy
