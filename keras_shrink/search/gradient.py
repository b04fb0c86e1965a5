"""A differentiable supernet that learns the policy over the choices, as an Optuna sampler."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import keras
import numpy as np
from optuna.trial import TrialState

from keras_shrink.search.choices import Drawn
from keras_shrink.search.costs import cost_of
from keras_shrink.search.expected_cost import excess
from keras_shrink.search.reinforcement import learned_logits, softmax
from keras_shrink.search.sampler import OneByOne
from keras_shrink.search.supernet import Supernet
from keras_shrink.whole_file import write_whole

try:
    import fcntl
except ImportError:  # on Windows, where processes that share a folder must not begin at once
    fcntl = None  # type: ignore[assignment]

_TEMPERATURES = 3.0, 0.5  # of Gumbel-softmax, at first and at last
_DRAWS, _TRIES = 8, 160  # a proposal is the likeliest of so many that fit, drawn in at most so many tries
_ENTROPY, _LEAST = 0.01, 1e-9


class Gradient(OneByOne):
    """Trains all candidates at once and proposes those that come out as the most likely.

    One network holds every candidate (`Supernet`). While it is trained, so are the logits of each choice: by
    the loss of the classes, and by what the candidates cost beyond the limits, as a function of the
    probabilities that was fitted to sketches of the space. Then each proposal is the likeliest of some that
    are drawn from these probabilities, fit the limits exactly, and were not proposed before; it is trained
    from scratch like any other, and its score moves the probabilities as in `Reinforce`. What the supernet
    learned is kept in the search's folder.

    Args:
        epochs: Of training the supernet.
        batch_size: Samples a step.
        learning_rate: Of the weights at the start.
        warm_up: Share of the epochs in which only the weights learn.
        cost_weight: Weight of `log(cost / limit)` in the loss where that is above 0.
        doubt: Share of evenly likely choices in the probabilities that the search begins with.
        rate: Step of the logits for the score of a candidate; 0 for none.
        seed: For weights and draws.

    Reference:
        Wu et al., 2018 (FBNet), arXiv:1812.03443; Wan et al., 2020 (FBNetV2), arXiv:2004.05565.
    """

    def __init__(
        self,
        *,
        epochs=10,
        batch_size=32,
        learning_rate=3e-3,
        warm_up=0.25,
        cost_weight=2.0,
        doubt=0.2,
        rate=0.5,
        seed=None,
    ):
        super().__init__(seed)
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.warm_up, self.cost_weight, self.doubt, self.rate = warm_up, cost_weight, doubt, rate
        self._proposals: dict[int, dict] = {}

    def prepare(self, space, train, limits, folder):
        """Trains the supernet, or reads what it learned in that folder; one process does, others wait.

        Raises:
            ValueError: If candidates of the space cannot be mixed.
        """
        self._space, self._limits = space, limits
        kept = Path(folder) / "policy.json"
        with _alone(kept.with_suffix(".lock")):
            if not kept.exists():
                chances = self._trained(space, train, limits, folder)
                write_whole(kept, lambda waiting: waiting.write_text(json.dumps(chances)))
        self.chances = {name: np.array(each) for name, each in json.loads(kept.read_text()).items()}

    def _trained(self, space, train, limits, folder):
        x, y = train
        y = np.asarray(y)
        classes = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(-1)
        if self.seed is not None:
            keras.utils.set_random_seed(self.seed)
        beyond = excess(space, limits, np.random.default_rng(self.seed))
        supernet = Supernet(space, penalty=beyond, penalty_weight=self.cost_weight, seed=self.seed)
        steps = self.epochs * -(-len(classes) // self.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps, alpha=0.1)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        supernet.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
        first, last = _TEMPERATURES

        def begin(epoch, logs):
            done = epoch / max(1, self.epochs - 1)
            supernet.temperature.assign(first * (last / first) ** done)
            supernet.decides.assign(float(epoch >= self.warm_up * self.epochs))

        callbacks = [
            keras.callbacks.BackupAndRestore(Path(folder) / "supernet", delete_checkpoint=True),
            keras.callbacks.LambdaCallback(on_epoch_begin=begin),
        ]
        supernet.fit(
            x, classes, batch_size=self.batch_size, epochs=self.epochs, callbacks=callbacks, verbose=0
        )
        return {name: keras.ops.convert_to_numpy(each).tolist() for name, each in supernet.chances().items()}

    def before_trial(self, study, trial):
        """Draws some candidates and keeps the likeliest of those that fit and are new."""
        super().before_trial(study, trial)
        trials = study.get_trials(deepcopy=False)
        known = {frozenset(other.params.items()) for other in trials}
        trained = [other for other in trials if other.state == TrialState.COMPLETE]
        begin = {
            name: np.log((1 - self.doubt) * chances / chances.sum() + (self.doubt + _LEAST) / len(chances))
            for name, chances in self.chances.items()
        }
        logits = learned_logits(trained, begin, self.rate, _ENTROPY)
        policy = {name: softmax(each) for name, each in logits.items()}
        best, found = -np.inf, 0
        for _ in range(_TRIES):
            drawn = _Likely(self._generator, policy)
            cost = cost_of(self._space(drawn).graph())
            if frozenset(drawn.values.items()) in known or self._limits.broken_by(cost):
                continue
            if drawn.likelihood > best:
                best, self._proposals[trial.number] = drawn.likelihood, drawn.values
            found += 1
            if found == _DRAWS:
                break

    def sample_independent(self, study, trial, name, distribution):
        """Returns the option of the proposal; a random one where none of the draws would do."""
        values = self._proposals.get(trial.number, {})
        if name in values:
            return values[name]
        return self._random.sample_independent(study, trial, name, distribution)

    def after_trial(self, study, trial, state, values):
        """Forgets the proposal."""
        self._proposals.pop(trial.number, None)


@contextlib.contextmanager
def _alone(path):
    """Waits until no other process is in here; one that is killed leaves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Likely(Drawn):
    """Draws from a policy; `likelihood` is the logarithm of how likely that is, next to the likeliest."""

    def __init__(self, generator, chances):
        super().__init__(generator)
        self.chances, self.likelihood = chances, 0.0

    def _place(self, name, count):
        if name not in self.chances:
            return super()._place(name, count)
        chances = self.chances[name]
        place = int(self.generator.choice(count, p=chances / chances.sum()))
        self.likelihood += float(np.log(chances[place] / chances.max()))
        return place
