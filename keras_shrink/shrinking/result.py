"""What `shrink` reached: the model, its files, and the steps as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from keras_shrink.reporting.report import report
from keras_shrink.shrinking.budget import Budget
from keras_shrink.shrinking.record import StepRecord, last_accepted
from keras_shrink.text_table import aligned
from keras_shrink.whole_file import write_whole
from tflite_export import TFLiteModel
from tflite_export.c.array import write_c_array
from tflite_export.c.write import render_c
from tflite_export.folder import write_files
from tflite_export.verify import Verification, verify

_VERIFIED_SAMPLES = 32


@dataclass(frozen=True, eq=False)
class ShrinkResult:
    """The best that was reached; prints as a table of the steps.

    Attributes:
        original: The model as it was given.
        model: The integer model: train it on, or convert it.
        tflite: Its file, slimmed.
        steps: Everything that was tried, `StepRecord`s in order.
        budget: What was asked for.
        validation: The pair that steps were judged on.
        metric: What accuracies are.
        original_accuracy: Of the original in Keras, on that pair.
        met: Whether every limit holds, that of the accuracy included.
        reason: What stands in the way, "" where nothing does.
        strips: In how many strips of rows the standalone C runs its first operators.
        folder: Where the record is.
    """

    original: keras.Model
    model: keras.Model
    tflite: TFLiteModel
    steps: tuple[StepRecord, ...]
    budget: Budget
    validation: tuple[Any, Any] = field(repr=False)
    metric: Any
    original_accuracy: float
    met: bool
    reason: str
    strips: int
    folder: Path

    @property
    def best(self) -> StepRecord:
        """The step that the model comes from."""
        return last_accepted(self.steps)

    def verify(self) -> Verification:
        """Returns whether TFLM, the compiled C and the Keras model compute the same on validation data."""
        inputs = self.validation[0]
        few = keras.tree.map_structure(lambda array: array[:_VERIFIED_SAMPLES].astype("float32"), inputs)
        return verify(self.tflite, few, self.model)

    def save(self, folder, *, name="model") -> tuple[Path, ...]:
        """Writes everything for the firmware, and returns the paths.

        `model.keras`, `model.tflite`, `steps.txt`, the page `report.html`, and the folder `c`: the standalone
        C, or the file as an array where TensorFlow Lite Micro is the runtime.

        Args:
            folder: Created where it does not exist.
            name: Prefix of the C, an identifier.

        Raises:
            OSError: If the folder cannot be written; no file is left half-written.
        """
        folder = Path(folder)
        files: dict[str, str | bytes] = {"model.tflite": self.tflite.bytes, "steps.txt": f"{self}\n"}
        if self.budget.runtime == "c":
            source = render_c(self.tflite, name, strips=self.strips, arena_bytes=self.budget.ram)
            files |= {f"c/{file}": text for file, text in source.items()}
        paths = write_files(files, folder)
        if self.budget.runtime == "tflm":
            paths = (*paths, *write_c_array(self.tflite, name, folder / "c"))
        write_whole(folder / "model.keras", self.model.save)
        paths = (*paths, folder / "model.keras")
        page = report(
            self.original,
            self.model,
            self.validation,
            steps=self.steps,
            tflite=self.tflite,
            metric=self.metric,
            budget=self.budget,
            files=paths,
            strips=self.strips,
        )
        return (*paths, page.save(folder / "report.html"))

    def __str__(self):
        rows = [["step", "amount", "", "accuracy", "flash", "RAM", "instructions", "seconds"]]
        for step in self.steps:
            rows.append(
                [
                    step.name,
                    str(step.amount or ""),
                    "kept" if step.accepted else "back",
                    f"{step.accuracy:.4f}",
                    f"{step.flash_bytes:,}",
                    f"{step.ram_bytes:,}",
                    "" if step.instructions is None else f"{step.instructions:,}",
                    f"{step.seconds:.0f}",
                ]
            )
        lines = aligned(rows, left=3)
        reasons = ["because", *(step.reason for step in self.steps)]
        width = max(map(len, lines))
        table = [
            f"{line.ljust(width)}  {reason}".rstrip() for line, reason in zip(lines, reasons, strict=True)
        ]
        return "\n".join([*table, "", self.verdict()])

    __repr__ = __str__

    def verdict(self) -> str:
        """Returns a sentence: the budget is met, or what stands in the way."""
        limits = ", ".join(f"{name} {limit:,}" for name, limit in self.budget.limits.items())
        asked = f"{limits}, accuracy at least {self.original_accuracy - self.budget.max_accuracy_drop:.4f}"
        if self.met:
            return f"The budget is met ({asked})."
        return f"The budget is not met ({asked}): {self.reason}."
