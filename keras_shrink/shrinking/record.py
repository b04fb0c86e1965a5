"""What was tried and what it cost, one line of JSON for each step, written as soon as it is known."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

from keras_shrink.whole_file import write_whole

_FILE = "steps.jsonl"


@dataclass(frozen=True)
class StepRecord:
    """One step of `shrink`, tried and measured on what would run on the device.

    Attributes:
        name: The technique, such as `"prune_channels"`; `"start"` for the model as it was given.
        amount: How much of it, as the technique takes it: `0.25`, `"int4"`; None where it has no amount.
        accepted: Whether the work went on from its result.
        accuracy: Of the integer model on the validation data, or what the metric says.
        flash_bytes: Flash of the model for the runtime of the budget.
        ram_bytes: RAM likewise.
        instructions: Of one inference, None where they were not asked for.
        seconds: It took, training included.
        reason: Why it was accepted, or given up, in a few words.
        checkpoint: Name of the model's file in the folder; "" where none was kept.
    """

    name: str
    amount: float | str | None
    accepted: bool
    accuracy: float
    flash_bytes: int
    ram_bytes: int
    instructions: int | None
    seconds: float
    reason: str
    checkpoint: str = ""


class Journal:
    """The steps so far, in a file of the folder: what is in it is not done again.

    Args:
        folder: Created where it does not exist.
        of: What the steps belong to: names and plain values. A folder that holds steps of something else is
            refused.

    Raises:
        ValueError: If the folder belongs to other work, or its file is damaged.

    Example:
    >>> import tempfile
    >>> Journal(tempfile.mkdtemp(), {"seed": 0}).steps
    []
    """

    def __init__(self, folder, of):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / _FILE
        self.steps: list[StepRecord] = []
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        entries = list(_entries(self.path, lines))
        if not entries:
            self._write([{"of": of}])
            return
        differing = sorted(key for key in of if entries[0].get("of", {}).get(key) != of[key])
        if differing:
            raise ValueError(
                f"{self.folder} holds the steps of other work: {', '.join(differing)} differ. Name another "
                "folder, or remove this one."
            )
        self.steps = [StepRecord(**entry) for entry in entries[1:]]
        if len(lines) != len(entries):
            self._write([entries[0], *map(dataclasses.asdict, self.steps)])

    def add(self, step: StepRecord) -> None:
        """Writes a step to the file before anything else happens."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(step)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.steps.append(step)

    def _write(self, entries):
        text = "".join(json.dumps(entry) + "\n" for entry in entries)
        write_whole(self.path, lambda waiting: waiting.write_text(text, encoding="utf-8"))


def last_accepted(steps):
    """Returns the step that the work goes on from, None before the start."""
    return next((step for step in reversed(steps) if step.accepted), None)


def _entries(path, lines):
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except ValueError:
            if number == len(lines):  # the process ended while it wrote
                return
            raise ValueError(f"The record is damaged. Received: {path}, line {number}.") from None
