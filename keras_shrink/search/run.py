"""The search itself: propose, reject what does not fit, train, record."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import keras
import numpy as np
import optuna

from keras_shrink.checks import check_count
from keras_shrink.int8_file import int8_file
from keras_shrink.progress import watched
from keras_shrink.search import study as records
from keras_shrink.search.building import build
from keras_shrink.search.choices import OfTrial
from keras_shrink.search.costs import Cost, cost_of
from keras_shrink.search.evolution import PARENT
from keras_shrink.search.limits import COST_OF_LIMIT, Limits
from keras_shrink.search.result import SearchResult, result_of
from keras_shrink.search.sketch import Sketch
from keras_shrink.search.strategies import as_sampler
from keras_shrink.search.training import Trainer, inherit, weights_of
from keras_shrink.whole_file import write_whole
from tflite_export.read import read

_MOST_REJECTED_IN_A_ROW = 5000
_MOST_REPEATED_IN_A_ROW = 100


def search_architecture(
    space,
    train,
    validation,
    *,
    folder,
    limits=None,
    strategy="evolution",
    trials=50,
    trainer=None,
    objectives=(records.ACCURACY,),
    storage=None,
    seed=0,
) -> SearchResult:
    """Returns the networks of a space that are best on held-out data and fit the device.

    Candidates that break a limit are rejected before anything is built or trained, and one that was trained
    before is not trained again as long as the strategy has others. Each of the rest is trained, scored as an
    int8 model, and kept with its weights. What was found is in `folder` at every moment: called again with
    the same folder, the search goes on where it was, also after a kill; several processes that share the
    storage share the work.

    Args:
        space: A function from `choices` (`.int(name, low, high, step=)`, `.categorical(name, options)`) to
            a `Sketch` or a Keras model; see `search.spaces` for ready-made ones. The cost of a Keras model is
            taken from its converted file, which takes seconds instead of a millisecond.
        train: A pair `(inputs, labels)` of arrays.
        validation: A pair that candidates are scored on; keep a third one back for the final figure.
        folder: Where weights are kept, and the record where `storage` is not given.
        limits: `Limits(...)`, what a candidate may cost. Defaults to none.
        strategy: `"random"`, `"evolution"` (regularized), `"reinforcement"` (REINFORCE), `"gradient"` (a
            differentiable supernet, for spaces of sketches), `"bayesian"` (TPE), `"nsga2"` (for several
            objectives), or an Optuna sampler, for example `RegularizedEvolution(inherit_weights=True)`.
        trials: How many candidates are trained altogether, by all processes.
        trainer: A `Trainer(...)`, or a function `(model, train, validation, report) -> float`.
        objectives: `"accuracy"`, or several for `"nsga2"`: also `"flash_bytes"`, `"ram_bytes"`,
            `"arena_bytes"`, `"weight_bytes"`, `"macs"`, `"instructions"`, which are made small.
        storage: A path or a data base URL for Optuna, to share a search between machines. Defaults to the
            journal `record.log` in `folder`.
        seed: Of the strategy and of each candidate's weights.

    Raises:
        ValueError: If an argument is not allowed, or if no candidate fits.

    Example:
    >>> import tempfile
    >>> import numpy as np
    >>> from keras_shrink.search import spaces
    >>> x, y = np.random.rand(64, 8).astype("float32"), np.random.randint(0, 2, 64)
    >>> space = spaces.mlp((8,), 2, most_units=8, most_layers=1)
    >>> folder, trainer = tempfile.mkdtemp(), Trainer(epochs=1)
    >>> found = search_architecture(space, (x, y), (x, y), folder=folder, trials=1, trainer=trainer)
    >>> found.best.cost.macs > 0
    True
    """
    limits = Limits() if limits is None else limits
    _check(space, limits, trials, objectives)
    trainer = Trainer() if trainer is None else trainer
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = folder / "record.log" if storage is None else storage
    sampler = as_sampler(strategy, seed)
    if hasattr(sampler, "prepare"):
        sampler.prepare(space, train, limits, folder)
    study = records.open_study(kept, "search", sampler, objectives=objectives)
    if hasattr(space, "first"):
        study.enqueue_trial(space.first, skip_if_exists=True)
    inherits = getattr(sampler, "inherit_weights", False)
    for _ in watched(range(trials), "searching"):
        records.recover(study)
        if len(records.started(study)) >= trials:
            break
        trial, model, cost = _next_that_fits(study, space, limits, seed)
        if not records.claim(study, trial, folder, trials):
            break
        _run(study, trial, model, cost, (train, validation, trainer), (folder, objectives, inherits))
    return result_of(study, space, folder, kept)


def _check(space, limits, trials, objectives):
    if not callable(space):
        raise ValueError(f"space must be a function choices -> Sketch or model. Received: space={space!r}.")
    if not isinstance(limits, Limits):
        raise ValueError(f"limits must be Limits(...). Received: limits={limits!r}.")
    check_count("trials", trials)
    allowed = (records.ACCURACY, *COST_OF_LIMIT.values())
    if not objectives or isinstance(objectives, str) or set(objectives) - set(allowed):
        raise ValueError(
            f"objectives must be a tuple of some of {', '.join(allowed)}. Received: {objectives=!r}."
        )


def _next_that_fits(study, space, limits, seed):
    """Returns a trial with its model and cost; rejected and repeated ones are told so on the way."""
    reasons: Counter[str] = Counter()
    known = {frozenset(each.params.items()) for each in records.started(study)}
    repeated = 0
    for _ in range(_MOST_REJECTED_IN_A_ROW):
        trial = study.ask()
        drawn = space(OfTrial(trial))
        if repeated < _MOST_REPEATED_IN_A_ROW and frozenset(trial.params.items()) in known:
            repeated += 1
            trial.set_user_attr(records.REPEATED, True)
            study.tell(trial, state=optuna.trial.TrialState.FAIL)  # which says nothing against it
            continue
        cost = cost_of_candidate(drawn)
        broken = limits.broken_by(cost)
        if broken:
            reasons.update(list(broken))
            trial.set_user_attr(records.REJECTED, sorted(broken))
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        keras.utils.set_random_seed(seed + trial.number)
        model = build(drawn) if isinstance(drawn, Sketch) else drawn
        return trial, model, cost
    worst = ", ".join(f"{name} {count} times" for name, count in reasons.most_common())
    raise ValueError(
        f"{_MOST_REJECTED_IN_A_ROW} candidates in a row break the limits ({worst}). Received: {limits}. "
        "Allow more, or make the space smaller."
    )


def cost_of_candidate(drawn) -> Cost:
    """Returns the `Cost` of a sketch, or of a Keras model as the file that it would become."""
    if isinstance(drawn, Sketch):
        return cost_of(drawn.graph())
    if not isinstance(drawn, keras.Model):
        raise ValueError(f"A space must return a Sketch or a Keras model. Received: {type(drawn).__name__}.")
    shapes = [(8, *(side or 1 for side in tensor.shape[1:])) for tensor in drawn.inputs]
    samples = [np.random.default_rng(0).normal(size=shape).astype("float32") for shape in shapes]
    data = samples[0] if len(samples) == 1 else samples
    return cost_of(read(int8_file(drawn, data)))


def _run(study, trial, model, cost, task, keeping):
    train, validation, trainer = task
    folder, objectives, inherits = keeping
    for name in COST_OF_LIMIT.values():
        trial.set_user_attr(name, getattr(cost, name))
    if inherits:
        _start_from_parent(study, trial, model, folder)

    def report(step, score):
        records.sign_of_life(trial)
        if len(objectives) == 1:
            trial.report(float(score), step)
            if trial.should_prune():
                raise optuna.TrialPruned

    try:
        accuracy = float(trainer(model, train, validation, report))
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return
    except Exception:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise
    trial.set_user_attr(records.ACCURACY, accuracy)
    weights = weights_of(model)
    write_whole(records.weights_path(folder, trial.number), lambda waiting: np.savez(waiting, **weights))
    values = [accuracy if o == records.ACCURACY else getattr(cost, o) for o in objectives]
    study.tell(trial, values)


def _start_from_parent(study, trial, model, folder):
    # The sampler names the parent in the storage, after this trial was read from there.
    parent = study.get_trials(deepcopy=False)[trial.number].user_attrs.get(PARENT)
    if parent is not None and records.weights_path(folder, parent).exists():
        with np.load(records.weights_path(folder, parent)) as saved:
            inherit(model, dict(saved))
