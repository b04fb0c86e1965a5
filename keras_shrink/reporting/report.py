"""`report`: everything one wants to know of a compressed model, judged by what will be flashed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_shrink import scoring
from keras_shrink.int8_file import int8_model
from keras_shrink.quantization.quantize import is_quantized
from keras_shrink.reporting.layers import LayerFacts, layers_of_file, layers_of_model
from keras_shrink.reporting.outcomes import Confusion, Errors, outcomes
from keras_shrink.text_table import aligned
from tflite_export import TFLiteModel, convert, preflight, read_card, samples, slim
from tflite_export.c.emit import plan_program
from tflite_export.devices import devices
from tflite_export.errors import ModelError
from tflite_export.folder import write_files
from tflite_export.read import read
from tflite_export.summary import Lifetime, Summary, summary

_RANGES, _ERRORS = 256, 128  # samples for the ranges of a float model, and for the error of each layer


@dataclass(frozen=True)
class Report:
    """What `report` gathered; `save` writes the page.

    Attributes:
        metric: Name of the score.
        score: Of the original model, and of the final one in the device's arithmetic.
        steps: What was done, as given.
        before: Facts of the original model as a file of floats (or the file given).
        after: Facts of the file to flash.
        outcomes: A `Confusion` or `Errors` for each output with labels.
        layers: The layers of the final model; the operators where it was given as a file.
        sqnr_db: Signal to quantization noise of the outputs; None where the final model is a file.
        c_arena: The plan of the standalone C, empty where an operator has no C.
        c_arena_bytes: RAM of that plan, None where there is none.
        boards: Whether the file fits the boards known.
        tflite: The file to flash.
        strips: In how many strips of rows the standalone C runs its first operators.
        files: What was written, as given.
        budget: What was asked for, as given.
    """

    metric: str
    score: tuple[float, float]
    steps: tuple[Any, ...]
    before: Summary
    after: Summary
    outcomes: tuple[Confusion | Errors, ...]
    layers: tuple[LayerFacts, ...]
    sqnr_db: float | None
    c_arena: tuple[Lifetime, ...]
    c_arena_bytes: int | None
    boards: tuple[preflight.Preflight, ...]
    tflite: TFLiteModel
    strips: int
    files: tuple[Path, ...]
    budget: Any

    @property
    def is_share(self) -> bool:
        """Whether the score is a share of right answers, shown in percent."""
        return self.metric == "accuracy"

    def sizes(self) -> list[tuple[str, int, int]]:
        """Returns name, original and final value of each size."""
        return [
            (name, getattr(self.before, field), getattr(self.after, field))
            for name, field in (
                (".tflite bytes", "file_bytes"),
                ("bytes through gzip", "gzip_bytes"),
                ("weights and biases", "parameters"),
                ("of them not zero", "nonzeros"),
                ("multiply-accumulates", "macs"),
                ("bytes of activations, planned", "plan_bytes"),
            )
        ]

    def to_html(self, title="Report on a compressed model") -> str:
        """Returns the page as text; it needs no other file and no network."""
        from keras_shrink.reporting.document import document

        return document(self, title)

    def save(self, path, title="Report on a compressed model") -> Path:
        """Writes the page and returns its path.

        Raises:
            OSError: If the folder cannot be written; nothing is left behind.
        """
        path = Path(path)
        write_files({path.name: self.to_html(title)}, path.parent)
        return path

    def __str__(self):
        rows = [["", "original", "final"], [self.metric, *(f"{value:.4f}" for value in self.score)]]
        rows += [[name, f"{first:,}", f"{last:,}"] for name, first, last in self.sizes()]
        return "\n".join(aligned(rows))

    __repr__ = __str__


def report(
    original,
    final,
    data,
    *,
    steps=(),
    tflite=None,
    metric=None,
    classes=None,
    budget=None,
    files=(),
    strips=1,
) -> Report:
    """Returns a report on a compressed model beside the one it comes from: `report(...).save("report.html")`.

    The page shows what was done and what each step cost, the trade-off of accuracy against flash, RAM and
    instructions, every layer's zeros, bits and rounding error, confusion matrices (or errors of numbers)
    of both models, the memory plan, and what to flash. The final model is judged by its file, computed
    in the device's arithmetic.

    Args:
        original: The model before: a Keras model, or a `.tflite` (bytes, path, conversion result).
        final: The model after, likewise. A float Keras model is calibrated on the first 256 inputs. Only
            with a Keras model is there an error for each layer.
        data: A pair `(inputs, labels)` that no training saw; inputs in real values. Labels of several outputs
            are a list of arrays or a dictionary from the outputs' names.
        steps: What was done: objects with `name`, `amount`, `accepted`, `accuracy`, `flash_bytes`,
            `ram_bytes`, `instructions`, `seconds` and `reason`, as `shrink` records them.
        tflite: The file to flash, where it has been made from `final` already.
        metric: `"accuracy"` or a function `(labels, outputs) -> float`, higher for better. Defaults to the
            accuracy of the first output with labels, or for numbers to the explained share of their variance.
        classes: Names of the classes. Defaults to the labels in the file, else numbers.
        budget: An object whose `flash`, `ram` and `instructions` are drawn as limits where it has them. Up
            to `ram` the arena of the standalone C may keep 4-bit weights packed.
        files: Paths that were written and shall be listed.
        strips: As for `write_c`: changes the memory plan of the standalone C.

    Raises:
        ValueError: If the data does not fit, or a layer of a float model has no integer form.
        ModelError: If a file cannot be read.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="scores")])
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    >>> made = report(model, model, (x, model.predict(x, verbose=0).argmax(axis=1)))
    >>> made.metric, made.score[0], "<svg" in made.to_html()
    ('accuracy', 1.0, True)
    """
    inputs, labels = _as_pair(data)
    quantized = int8_model(final, samples.first(inputs, _RANGES)) if isinstance(final, keras.Model) else None
    file = TFLiteModel(_content(tflite if tflite is not None else final if quantized is None else quantized))
    after = summary(file)
    answers = _answers(original, inputs), scoring.device_outputs(file, inputs)
    names = list(file.outputs)
    found = outcomes(names, labels, *answers, _classes_in(file) if classes is None else classes)
    if not found:
        raise ValueError(f"There are no labels for any of the outputs {', '.join(names)}.")
    metric_name, score = _score(metric, found, labels, answers)
    layers, sqnr_db = _layers(quantized, file.graph, inputs)
    c_arena, c_arena_bytes = _c_arena(file.graph, strips, getattr(budget, "ram", None))
    return Report(
        metric=metric_name,
        score=score,
        steps=tuple(steps),
        before=summary(_content(original), measure=False),
        after=after,
        outcomes=tuple(found),
        layers=layers,
        sqnr_db=sqnr_db,
        c_arena=c_arena,
        c_arena_bytes=c_arena_bytes,
        boards=_boards(file.graph, after.arena),
        tflite=file,
        strips=strips,
        files=tuple(Path(path) for path in files),
        budget=budget,
    )


def _as_pair(data):
    if not isinstance(data, tuple) or len(data) != 2:
        raise ValueError(f"data must be a pair (inputs, labels). Received: {type(data).__name__}.")
    return data


def _content(model):
    """Returns the bytes of the file that a model is, a float Keras model as floats."""
    if not isinstance(model, keras.Model):
        return bytes(read(model).content)
    if is_quantized(model):
        return slim(convert(model))
    return slim(convert(model, dtype="float32"))


def _classes_in(file):
    card = read_card(file)
    return None if card is None else card.labels or None


def _layers(quantized, graph, inputs):
    if quantized is None:
        return layers_of_file(graph), None
    return layers_of_model(quantized, samples.first(inputs, _ERRORS))


def _answers(model, inputs):
    answer = scoring.keras_outputs if isinstance(model, keras.Model) else scoring.device_outputs
    return answer(model, inputs)


def _score(metric, found: Sequence[Confusion | Errors], labels, answers):
    first = found[0]
    if metric is None or (metric == "accuracy" and isinstance(first, Confusion)):
        if isinstance(first, Confusion):
            return "accuracy", first.accuracy
        return "explained variance", first.explained
    return scoring.name_of(metric), tuple(scoring.scored(metric, labels, outputs) for outputs in answers)


def _c_arena(graph, strips, arena_bytes):
    """Returns what lies where in the arena of the standalone C, and its size; nothing where it has no C."""
    try:
        program = plan_program(graph, strips=strips, arena_bytes=arena_bytes)
    except ModelError:
        return (), None
    names, last = tensor_names(graph), max(len(program.calls) - 1, 0)
    drawn = []
    for number, block in enumerate(program.blocks):
        is_tensor = block.key in names
        drawn.append(
            Lifetime(
                tensor=block.key if is_tensor else len(names) + number,
                name=names[block.key] if is_tensor else "working memory",
                offset=program.offsets[block.key],
                size_bytes=block.size,
                first=min(max(block.first, 0), last),
                last=min(max(block.last, 0), last),
            )
        )
    return tuple(drawn), program.arena_bytes


def _boards(graph, arena):
    if arena is None:
        return ()
    return tuple(preflight.check(graph, board, arena=arena) for board in devices().values())


def tensor_names(graph) -> dict[int, str]:
    """Returns what to call each activation: the input it is, or the operator that writes it."""
    names = {tensor.index: f"input {name}" for name, tensor in graph.named("inputs").items()}
    for op in graph.main.ops:
        for index in op.outputs:
            names[index] = f"{op.index} {op.custom_code or op.code}"
    return names
