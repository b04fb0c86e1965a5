"""Labels, input normalization, author and licence inside a `.tflite`, in the format apps read."""

from dataclasses import dataclass
from typing import Annotated, Any

from tflite_export.archive import attached_files
from tflite_export.errors import ModelError
from tflite_export.flatbuffer import Children, Choice, Chosen, Float32s, Int8, Reader, Str, Uint32
from tflite_export.flatbuffer_write import write
from tflite_export.graph import Graph
from tflite_export.read import read
from tflite_export.slim import change_metadata

METADATA_NAME = "TFLITE_METADATA"
LABELS_FILE = "labels.txt"
_IDENTIFIER = b"M001"
_AXIS_LABELS = 2


@dataclass(frozen=True)
class ModelCard:
    """What people and apps want to know of a model beyond its tensors.

    Attributes:
        name: Of the model.
        description: What it does.
        version: Of the model, free text.
        author: Who made it.
        license: Under which terms it may be used.
        labels: Name of each class, in the order of the first output's last axis.
        mean: Subtracted from the first input's values, one number or one for each channel.
        std: What they are divided by afterwards: `(value - mean) / std` enters the network.

    Example:
    >>> ModelCard(labels=("cat", "dog"), mean=(127.5,), std=(127.5,)).labels
    ('cat', 'dog')
    """

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""
    labels: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self):
        """Checks what can be checked without a model."""
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"mean and std must be equally many. Received: mean={self.mean}, std={self.std}."
            )
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std must be positive. Received: std={self.std}.")
        if any("\n" in label for label in self.labels):
            raise ValueError("a label must not contain a line break; they are stored one a line.")


@dataclass(frozen=True)
class _Normalization:
    mean: Float32s = ()
    std: Float32s = ()


@dataclass(frozen=True)
class _ProcessUnit:
    options: Annotated[Chosen, Choice("process unit", {1: _Normalization})] = Chosen(0, None)  # noqa: RUF009


@dataclass(frozen=True)
class _File:
    name: Str = ""
    description: Str = ""
    type: Int8 = 0


@dataclass(frozen=True)
class _Tensor:
    name: Str = ""
    description: Str = ""
    dimension_names: Uint32 = 0  # these three are read over
    content: Uint32 = 0
    process_units: Annotated[tuple[_ProcessUnit, ...], Children(_ProcessUnit)] = ()
    stats: Uint32 = 0
    files: Annotated[tuple[_File, ...], Children(_File)] = ()


@dataclass(frozen=True)
class _SubGraph:
    name: Str = ""
    description: Str = ""
    inputs: Annotated[tuple[_Tensor, ...], Children(_Tensor, required=True)] = ()
    outputs: Annotated[tuple[_Tensor, ...], Children(_Tensor, required=True)] = ()


@dataclass(frozen=True)
class _Model:
    name: Str = ""
    description: Str = ""
    version: Str = ""
    subgraphs: Annotated[tuple[_SubGraph, ...], Children(_SubGraph)] = ()
    author: Str = ""
    license: Str = ""
    files: Annotated[tuple[_File, ...], Children(_File)] = ()
    min_parser_version: Str = ""


def write_card(tflite: Any, card: ModelCard) -> bytes:
    """Returns the model with a card, in place of the one it may have had.

    The card is written as TensorFlow Lite's own metadata with the labels as an attached file, so that
    Android's and other libraries find them. No runtime is affected.

    Args:
        tflite: Bytes, path, conversion result or graph.
        card: What to say.

    Raises:
        ModelError: If the labels are not as many as the first output's last axis is long, the file cannot
            be read, or it cannot be written again without loss.

    Example:
    >>> labelled = write_card("model.tflite", ModelCard(labels=("cat", "dog", "bird")))
    >>> read_card(labelled).labels
    ('cat', 'dog', 'bird')
    """
    graph = read(tflite)
    classes = graph.outputs[0].shape[-1:] if graph.outputs else ()
    if card.labels and classes != (len(card.labels),):
        raise ModelError(
            f"labels must be one for each of the first output's classes, {classes[0] if classes else 0}. "
            f"Received: {len(card.labels)} labels."
        )
    names = [tensor.name for tensor in graph.inputs], [tensor.name for tensor in graph.outputs]
    inputs, outputs = ([_Tensor(name=name) for name in side] for side in names)
    if card.mean and inputs:
        unit = _ProcessUnit(Chosen(1, _Normalization(card.mean, card.std)))
        inputs[0] = _Tensor(name=inputs[0].name, process_units=(unit,))
    if card.labels:
        label_file = _File(LABELS_FILE, "Labels of the classes.", _AXIS_LABELS)
        outputs[0] = _Tensor(name=outputs[0].name, files=(label_file,))
    root = _Model(
        name=card.name,
        description=card.description,
        version=card.version,
        subgraphs=(_SubGraph(inputs=tuple(inputs), outputs=tuple(outputs)),),
        author=card.author,
        license=card.license,
        min_parser_version="1.0.0",
    )
    files = {LABELS_FILE: "".join(f"{label}\n" for label in card.labels).encode()} if card.labels else {}
    return change_metadata(graph, {METADATA_NAME: write(root, _IDENTIFIER)}, files=files)


def read_card(tflite: Any) -> ModelCard | None:
    """Returns the card of a model, whoever wrote it, or None where it has none that can be read.

    Args:
        tflite: Bytes, path, conversion result or graph.
    """
    graph: Graph = read(tflite)
    content = graph.metadata.get(METADATA_NAME, b"")
    if content[4:8] != _IDENTIFIER:
        return None
    try:
        root = Reader(content).root(_Model)
        files = attached_files(graph.content)
    except ModelError:
        return None
    tensors = list(root.subgraphs[:1])
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    for tensor in tensors[0].inputs[:1] if tensors else ():
        for unit in tensor.process_units:
            if isinstance(unit.options.table, _Normalization):
                mean, std = unit.options.table.mean, unit.options.table.std
    for tensor in tensors[0].outputs[:1] if tensors else ():
        for file in tensor.files:
            if file.type == _AXIS_LABELS and file.name in files:
                labels = tuple(files[file.name].decode("utf-8", "replace").split("\n"))
                labels = labels[:-1] if labels[-1:] == ("",) else labels
    if len(mean) != len(std) or any(not value > 0 for value in std):
        mean, std = (), ()
    return ModelCard(root.name, root.description, root.version, root.author, root.license, labels, mean, std)
