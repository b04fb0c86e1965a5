"""A report as one self-contained HTML page: facts, tables and bars, no network needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tflite_export.templates import environment


@dataclass(frozen=True)
class TableOf:
    """A table: a title, headings, and rows of text with the name of the row first."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Bars:
    """Horizontal bars: label -> fraction in [0, 1]."""

    title: str
    values: Mapping[str, float]


def render(
    title: str, *, facts: Mapping[str, str] = {}, tables: Sequence[TableOf] = (), bars: Sequence[Bars] = ()
) -> str:
    """Returns the page as HTML text.

    Example:
    >>> "<h1>Report</h1>" in render("Report", facts={"seed": "0"})
    True
    """
    return render_template("page.html.j2", title=title, facts=facts, tables=tables, bars=bars)


def render_template(name: str, **values) -> str:
    """Returns the text of one of this package's templates; a value that is missing is an error."""
    return environment("keras_shrink", "tflite_export").get_template(name).render(**values)


def tensor_text(tensor) -> str:
    """Returns dtype, shape, scale and zero point of a quantized `tflite_export.graph.Tensor` as text."""
    shape = " x ".join(map(str, tensor.shape))
    params = tensor.quantization
    return f"{tensor.dtype}, {shape}, scale {params.scale[0]:.7g}, zero point {params.zero_point[0]}"
