"""Several models side by side, each as the file that would be flashed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import keras

from keras_shrink import page, scoring
from keras_shrink.int8_file import int8_file
from keras_shrink.progress import watched
from keras_shrink.text_table import aligned
from tflite_export import samples, summary


@dataclass(frozen=True)
class Row:
    """One model.

    Attributes:
        name: What the caller calls it.
        parameters: Weights and biases of the integer model.
        nonzeros: Those that are not zero.
        macs: Multiply-accumulates of one inference.
        tflite_bytes: The int8 `.tflite`, slimmed without loss.
        gzip_bytes: The same through gzip at its best.
        arena_bytes: What TFLM allocates; where TFLM does not run it, None.
        score: The metric of the integer model, computed in the device's arithmetic.
        float_score: The metric of the Keras model; None for a file.
    """

    name: str
    parameters: int
    nonzeros: int
    macs: int
    tflite_bytes: int
    gzip_bytes: int
    arena_bytes: int | None
    score: float
    float_score: float | None


@dataclass(frozen=True)
class Comparison:
    """A row for each model, in the order given; prints as a table and shows itself in notebooks.

    Attributes:
        rows: The models.
        metric: Name of the metric.
    """

    rows: tuple[Row, ...]
    metric: str

    def cells(self) -> list[list[str]]:
        """Returns the table as text, the headings first."""
        headings = ["model", "parameters", "non-zero", "MACs", "int8 .tflite bytes", "gzip bytes",
                    "arena bytes", f"int8 {self.metric}", f"Keras {self.metric}"]  # fmt: skip
        return [headings, *([_text(value) for value in dataclasses.astuple(row)] for row in self.rows)]

    def __str__(self):
        lines = aligned(self.cells())
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    __repr__ = __str__

    def to_markdown(self) -> str:
        """Returns the table in Markdown."""
        headings, *rows = self.cells()
        lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def _repr_markdown_(self):
        return self.to_markdown()

    def to_html(self, title="Models compared") -> str:
        """Returns a page of its own with the table."""
        headings, *rows = self.cells()
        return page.render(
            title, tables=[page.TableOf("Sizes in bytes; int8 is the file itself", headings, rows)]
        )

    def to_dataframe(self):
        """Returns a pandas `DataFrame` with the fields of `Row`, the names as index.

        Raises:
            ModuleNotFoundError: If pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("to_dataframe needs pandas: pip install pandas.") from error
        return pandas.DataFrame([dataclasses.asdict(row) for row in self.rows]).set_index("name")


def compare(models, data, *, representative_data=None, metric="accuracy"):
    """Returns a table of models, each judged by the int8 file that it becomes.

    A float Keras model is calibrated first; one that trained with `quantize` is converted as it is.
    The score is that of the integer arithmetic on the device, over all of the data.

    Args:
        models: Mapping from a name to a Keras model, or to a `.tflite` (bytes, path, conversion result).
        data: A pair `(inputs, labels)` of arrays that no training saw.
        representative_data: Inputs for the ranges of float models, as for `calibrate`. Defaults to the
            first 256 inputs of `data`.
        metric: `"accuracy"`, or a function `(labels, outputs) -> float`; higher is better.

    Raises:
        ValueError: If there are no models, the data does not fit, or a layer of a float model has no
            integer form.

    Example:
    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, bias_initializer="ones")])
    >>> table = compare({"dense": model}, (np.random.rand(32, 4), np.zeros(32, int)))
    >>> table.rows[0].parameters
    15
    """
    if not isinstance(models, dict) or not models:
        raise ValueError(
            f"models must be a mapping from names to models, not empty. Received: {type(models).__name__}. "
            'Pass {"float": model}.'
        )
    inputs, _ = scoring.as_pair(data)
    scoring.as_metric(metric)
    ranges = samples.first(inputs, 256) if representative_data is None else representative_data
    rows = [_row(name, model, data, ranges, metric) for name, model in watched(models.items(), "comparing")]
    return Comparison(tuple(rows), scoring.name_of(metric))


def _row(name, model, data, ranges, metric):
    float_score = None
    if isinstance(model, keras.Model):
        float_score = scoring.keras_score(model, data, metric)
        model = int8_file(model, ranges)
    facts = summary(model)
    return Row(
        name,
        parameters=facts.parameters,
        nonzeros=facts.nonzeros,
        macs=facts.macs,
        tflite_bytes=facts.file_bytes,
        gzip_bytes=facts.gzip_bytes,
        arena_bytes=None if facts.arena is None else facts.arena.required_bytes,
        score=scoring.device_score(model, data, metric),
        float_score=float_score,
    )


def _text(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
