"""`keras-shrink report`: two models and data in, a page out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import typer

from keras_shrink.checks import check_file
from keras_shrink.shrinking.record import StepRecord

_PAIRS = (("x_test", "y_test"), ("x_val", "y_val"), ("x", "y"))
_KERAS = (".keras", ".h5", ".hdf5")


def report_files(original, final, data, output, steps, title):
    """Writes the report on two files and prints its figures."""
    from keras_shrink.reporting.report import report

    done = () if steps is None else load_steps(steps)
    models = _model(original), _model(final)
    made = report(*models, load_test(data), steps=done, files=_flashed(final))
    path = made.save(output, title or f"{Path(final).stem}, from {Path(original).stem}")
    typer.echo(f"{made}\nwrote {path} ({path.stat().st_size:,} bytes)")


def load_test(path):
    """Returns `(inputs, labels)` from a `.npz` file with x_test and y_test, x_val and y_val, or x and y.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds none of these pairs.
    """
    with np.load(check_file(path), allow_pickle=False) as stored:
        pair = next((pair for pair in _PAIRS if set(pair) <= set(stored.files)), None)
        if pair is None:
            raise ValueError(
                f"{path} must hold x_test and y_test, or x and y. Received: {sorted(stored.files)}."
            )
        return stored[pair[0]].astype("float32"), stored[pair[1]]


def load_steps(path) -> tuple[StepRecord, ...]:
    """Returns the steps in a `steps.jsonl` that `shrink` wrote; other lines are left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no JSON or lacks a figure.
    """
    steps = []
    for number, line in enumerate(check_file(path).read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            if "name" in entry:
                steps.append(StepRecord(**entry))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path} is not a record of shrink. Received: line {number}: {error}."
            ) from error
    return tuple(steps)


def _model(path):
    if Path(path).suffix not in _KERAS:
        return Path(path)
    from keras_shrink.loading import load_uncompiled

    return load_uncompiled(path)


def _flashed(final):
    return [] if Path(final).suffix in _KERAS else [Path(final)]
