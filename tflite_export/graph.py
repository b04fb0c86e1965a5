"""A `.tflite` file as frozen dataclasses: what every later step reads and none changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class QuantParams:
    """Affine quantization of a tensor: `real = scale * (q - zero_point)`.

    Attributes:
        scale: float32 array, shape `(1,)` per tensor or `(channels,)` per channel.
        zero_point: int64 array of the same shape.
        axis: The quantized dimension; meaningful where there is more than one scale.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        """Whether there is a scale for each channel."""
        return self.scale.size > 1


@dataclass(frozen=True)
class Tensor:
    """One tensor of a subgraph.

    Attributes:
        index: Position in the subgraph.
        name: As stored, may be empty.
        shape: As stored; dynamic dimensions are stored as 1 and are -1 in `shape_signature`.
        dtype: Lower-case name as in the schema: `"int8"`, `"float32"`, `"int4"`, `"string"`, ...
        quantization: None where the tensor has no scale.
        data: Constant values with `shape` (int4 unpacked to int8, bfloat16 as its bits), or None for an
            activation. Where `sparse` is set, only the stored values, flat.
        buffer_bytes: Size of the constant as stored in the file, 0 for an activation.
        is_variable: Whether the runtime keeps the value from one invocation to the next.
        shape_signature: Shape with -1 for dynamic dimensions; equals `shape` where all are static.
        sparse: Whether the constant is stored in the sparse encoding.
        buffer: Index of the stored constant; tensors may share one.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: QuantParams | None = None
    data: np.ndarray | None = None
    buffer_bytes: int = 0
    is_variable: bool = False
    shape_signature: tuple[int, ...] = ()
    sparse: bool = False
    buffer: int = 0

    @property
    def is_constant(self) -> bool:
        """Whether the file holds the values."""
        return self.data is not None

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Op:
    """One operator.

    Attributes:
        index: Position in the subgraph, which is the order of execution.
        code: Schema name, `"CONV_2D"`; `"CUSTOM"` for custom operators.
        inputs: Tensor indices; -1 marks an optional input that is absent.
        outputs: Tensor indices.
        options: A typed options dataclass of `tflite_export.options` (with the defaults of the format
            where the file has none), or None for operators without options.
        custom_code: Name of a custom operator, else "".
        version: Operator version.
        intermediates: Tensor indices that only carry quantization (fused LSTM).
        custom_options: The bytes a custom operator was given.
    """

    index: int
    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any = None
    custom_code: str = ""
    version: int = 1
    intermediates: tuple[int, ...] = ()
    custom_options: bytes = b""


@dataclass(frozen=True)
class Subgraph:
    """Tensors and the operators that run over them, in execution order."""

    index: int
    name: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """Names for the inputs and outputs of a subgraph, in the order of the file."""

    key: str
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    subgraph: int = 0


@dataclass(frozen=True)
class Graph:
    """A whole `.tflite` file.

    Attributes:
        subgraphs: At least one; the first is the entry.
        signatures: As stored, may be empty.
        metadata: Name -> bytes.
        description: Free text of the producer.
        content: The file itself.
    """

    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...] = ()
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    description: str = ""
    content: bytes = b""

    @property
    def main(self) -> Subgraph:
        """The subgraph that runs when the model is invoked."""
        return self.subgraphs[0]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Input tensors of the main subgraph."""
        return tuple(self.main.tensors[i] for i in self.main.inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Output tensors of the main subgraph."""
        return tuple(self.main.tensors[i] for i in self.main.outputs)

    def named(self, side: str) -> dict[str, Tensor]:
        """Returns the tensors of `"inputs"` or `"outputs"` by their names in the first signature.

        A file without a signature gives the names of the tensors themselves.
        """
        if not self.signatures:
            return {tensor.name: tensor for tensor in getattr(self, side)}
        signature = self.signatures[0]
        tensors = self.subgraphs[signature.subgraph].tensors
        return {name: tensors[index] for name, index in getattr(signature, side).items()}
