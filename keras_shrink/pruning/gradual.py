"""`GradualPruning`: pruning in `fit`, as one callback."""

import itertools
import warnings

import keras

from keras_shrink.pruning.pruner import Pruner

_CHECKED_STEPS = 10_000


class GradualPruning(keras.callbacks.Callback):
    """Prunes a model during `fit`; nothing to wrap before and nothing to strip afterwards.

    Zeros are exact after each epoch and at the end, and so in each file saved. Steps are counted from the
    first step of epoch 0, so a `fit` that resumes (`BackupAndRestore`, `initial_epoch`) goes on in the
    schedule. `logs["sparsity"]` is the fraction of zeros over the chosen kernels; put the callback before
    `TensorBoard` and `CSVLogger`, and after `EarlyStopping`.

    Args:
        schedule: Fraction in [0, 1), schedule, or mapping from a choice of layers to either.
        total_steps: Steps of the whole training, where `fit` cannot know them: a data set of unknown
            length, or a training spread over several calls.
        log_layers: Whether `logs["sparsity/<kernel>"]` is added for each kernel.
        **choices: `layers`, `pattern`, `score`, `scope`, `frequency`, `surgery` and `keep_zeros`, as for
            `Pruner`.

    Raises:
        ValueError: If a choice is out of range; from `fit`, before the first step, if the schedule does not
            fit into it.

    Example:
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    >>> model.compile("sgd", "mse")
    >>> x, y = keras.ops.ones((32, 8)), keras.ops.ones((32, 4))
    >>> callback = GradualPruning(0.75, frequency=1)
    >>> history = model.fit(x, y, callbacks=[callback], verbose=0)
    >>> history.history["sparsity"]
    [0.75]

    Reference:
        Zhu and Gupta, 2017, arXiv:1710.01878.
    """

    async_safe = True  # masks change in on_train_batch_begin, which is never run beside a training step

    def __init__(self, schedule, *, total_steps=None, log_layers=False, **choices):
        super().__init__()
        self.pruner = Pruner(schedule, **choices)
        self.total_steps = total_steps
        self.log_layers = log_layers
        self._planned = False
        self._begun = False
        self._at_step = 0
        self._first_iteration = 0
        self._logs = {}

    def on_train_begin(self, logs=None):
        """Notes that a new `fit` starts."""
        self._planned = False
        self._begun = False
        self._logs = {}

    def on_epoch_begin(self, epoch, logs=None):
        """Takes up the model before the first step: only now all other callbacks have restored theirs."""
        if self._planned:
            return
        updates = self._updates_per_epoch()
        if self.pruner.knows(self.model):
            self._at_step = self.pruner.current_step
        else:
            self._at_step = round(epoch * updates) if updates else (self._iterations() if epoch else 0)
        self._check_schedule(epoch, updates)
        self._first_iteration = self._iterations()
        self._planned = True
        self._begin_when_built()

    def on_train_batch_begin(self, batch, logs=None):
        """Updates the masks where the schedule asks for it."""
        if not self._begun:
            self._begin_when_built()
        if self._begun and (self.pruner.step() or not self._logs):
            self._logs = self._measure()

    def on_train_batch_end(self, batch, logs=None):
        """Adds the sparsity to the logs."""
        if logs is not None:
            logs.update(self._logs)

    def on_epoch_end(self, epoch, logs=None):
        """Adds the sparsity to the logs."""
        if logs is not None:
            logs.update(self._logs)

    def on_train_end(self, logs=None):
        """Makes the zeros final, and says so where the schedule was cut short."""
        if not self._planned:
            return  # a fit without an epoch
        if not self._begun:
            self._begin_when_built()
        self.pruner.end()
        step, last = self.pruner.current_step, self.pruner.last_step
        if step < last and (self.total_steps is None or step >= self.total_steps):
            warnings.warn(
                f"Training stopped at step {step}, before the last step {last} of the pruning schedule; "
                f"the sparsity is {self.pruner.sparsity:.4f}.",
                stacklevel=2,
            )

    def _begin_when_built(self):
        """Takes up the model. A model without an Input is built by its first step, so it waits for that."""
        if not self.model.built:
            return
        done = self._iterations() - self._first_iteration
        self.pruner.begin(self.model, at_step=self._at_step + done)
        self._begun = True

    def _iterations(self):
        optimizer = getattr(self.model, "optimizer", None)
        return int(optimizer.iterations.numpy()) if optimizer is not None else 0

    def _updates_per_epoch(self):
        """Returns how often the optimizer updates the weights in an epoch, or None where nobody knows."""
        steps = self.params.get("steps")
        optimizer = getattr(self.model, "optimizer", None)
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        return steps and steps / (getattr(inner, "gradient_accumulation_steps", None) or 1)

    def _measure(self):
        logs = {"sparsity": self.pruner.sparsity}
        if self.log_layers:
            logs.update({f"sparsity/{name}": value for name, value in self.pruner.layer_sparsity.items()})
        return logs

    def _check_schedule(self, epoch, updates):
        """Refuses a schedule that cannot finish, or never fires, within the training that is coming."""
        now = self._at_step
        if self.total_steps is not None:
            end = self.total_steps
        elif updates:
            end = int(now + (self.params["epochs"] - epoch) * updates)
        else:
            warnings.warn(
                "The number of steps per epoch is unknown, so nobody can tell whether the pruning schedule "
                f"(last step {self.pruner.last_step}) will finish. Pass steps_per_epoch to fit, or "
                "GradualPruning(..., total_steps=...).",
                stacklevel=2,
            )
            return
        last = self.pruner.last_step
        if last > end:
            raise ValueError(
                f"The pruning schedule cannot finish: its last step is {last}, and training ends at step "
                f"{end} ({self.params['epochs']} epochs of {updates:g} steps). Set end_step to at "
                f"most {end}, train longer, or pass total_steps where training goes on in another fit."
            )
        stride = max(1, (end - now) // _CHECKED_STEPS)
        asked = [self.pruner.fractions(step) for step in range(now, end + 1, stride)]
        if not any(fraction for fractions in asked for fraction in fractions):
            raise ValueError(
                f"The pruning schedule never fires: it asks for no zeros in steps {now} to {end}. "
                "Set begin_step or the fractions so that it does."
            )
        falling = any(
            b < a for earlier, later in itertools.pairwise(asked) for a, b in zip(earlier, later, strict=True)
        )
        if falling and self.pruner.surgery is None:
            raise ValueError(
                "The pruning schedule asks for fewer zeros at a later step, but pruned weights stay pruned. "
                "Pass surgery=Surgery(until=...) to let them come back, or choose one that never falls."
            )
