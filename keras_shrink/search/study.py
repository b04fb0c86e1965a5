"""The shared record of a search: Optuna's storage, the count of candidates, and workers that died."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

REJECTED, REPEATED = "rejected", "repeated"
ACCURACY = "accuracy"
_WORKER, _ALIVE, _RETRIED = "worker", "alive", "retried"
_PATIENCE_SECONDS = 600
_LOCK_SECONDS = 30


def open_study(storage, name, sampler, *, objectives):
    """Returns the Optuna study of that name, created where it does not exist.

    Args:
        storage: Path of a journal file, or the URL of a data base that Optuna takes.
        name: Of the study.
        sampler: An Optuna sampler.
        objectives: `"accuracy"`, which is maximized, and names of costs, which are minimized.

    Raises:
        ValueError: If a study of that name has other objectives.
    """
    kept = str(storage)
    if "://" not in kept:
        Path(kept).parent.mkdir(parents=True, exist_ok=True)
        kept = JournalStorage(JournalFileBackend(kept))
    directions = ["maximize" if objective == ACCURACY else "minimize" for objective in objectives]
    study = optuna.create_study(
        storage=kept,
        study_name=name,
        sampler=sampler,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8, n_warmup_steps=2),
        directions=directions,
        load_if_exists=True,
    )
    known = study.user_attrs.get("objectives")
    if known is None:
        study.set_user_attr("objectives", list(objectives))
    elif known != list(objectives):
        raise ValueError(
            f"The search {name!r} in {storage} has the objectives {known}. Received: "
            f"objectives={list(objectives)}. Name another search or another folder."
        )
    return study


def trained(study):
    """Returns the trials that were trained: finished, or given up on the way."""
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    trials = study.get_trials(deepcopy=False, states=states)
    return [trial for trial in trials if REJECTED not in trial.user_attrs]


def started(study):
    """Returns the trials that were trained or are being trained."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return trained(study) + [trial for trial in running if _WORKER in trial.user_attrs]


def claim(study, trial, folder, most):
    """Writes down who trains a candidate; returns whether it may be trained at all.

    It may not where other workers have claimed `most` candidates meanwhile. Workers that share the folder
    take turns here; others may train one too many between them.
    """
    lock = JournalFileOpenLock(str(Path(folder) / "claims"), grace_period=_LOCK_SECONDS)
    lock.acquire()
    try:
        if len(started(study)) >= most:
            trial.set_user_attr(REJECTED, ["too many"])
            study.tell(trial, state=TrialState.FAIL)
            return False
        trial.set_user_attr(_WORKER, f"{socket.gethostname()}:{os.getpid()}")
        sign_of_life(trial)
        return True
    finally:
        lock.release()


def sign_of_life(trial):
    """Writes down that its worker lives."""
    trial.set_user_attr(_ALIVE, time.time())


def recover(study):
    """Gives candidates of workers that died back to the queue, each once, and returns how many.

    A worker on this machine is dead when its process is gone, one elsewhere when nothing was heard of it
    for ten minutes.
    """
    lost = 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _WORKER not in trial.user_attrs or not _is_dead(trial):
            continue
        try:
            study._storage.set_trial_user_attr(trial._trial_id, _RETRIED, True)
            study.tell(trial.number, state=TrialState.FAIL)
        except (RuntimeError, ValueError):  # another worker was faster
            continue
        study.enqueue_trial(trial.params)
        lost += 1
    return lost


def weights_path(folder, number):
    """Returns where the weights of a candidate are kept."""
    return Path(folder) / f"candidate_{number}.npz"


def _is_dead(trial):
    host, _, process = trial.user_attrs[_WORKER].rpartition(":")
    if host != socket.gethostname():
        return time.time() - trial.user_attrs.get(_ALIVE, 0) > _PATIENCE_SECONDS
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
