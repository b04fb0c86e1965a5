"""What the emitters build and the renderer prints: constants, kernel calls, buffers, the whole program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

C_TYPES = {
    "int8": "int8_t",
    "int4": "int8_t",
    "uint8": "uint8_t",
    "bool": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "float32": "float",
}
BYTES = {
    "int8_t": 1,
    "uint8_t": 1,
    "int16_t": 2,
    "uint16_t": 2,
    "int32_t": 4,
    "uint32_t": 4,
    "int64_t": 8,
    "float": 4,
}

ANYWHERE = -(1 << 40)  # an overlap distance that every placement satisfies


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant array.

    Attributes:
        role: What it is to its kernel, part of its C name: `"weights"`.
        ctype: C type of an element.
        values: Integers or floats, flattened when rendered.
        align: Alignment in bytes beyond the type's own, 0 for none.
    """

    role: str
    ctype: str
    values: np.ndarray
    align: int = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of flash the array takes."""
        return int(np.asarray(self.values).size) * BYTES[self.ctype]


@dataclass(frozen=True)
class Operand:
    """A tensor in the arena that a kernel reads or writes.

    Attributes:
        tensor: Index of the tensor, or the key of a resource.
        ctype: C type of an element.
        offset: Elements to skip.
    """

    tensor: Any
    ctype: str
    offset: int = 0


@dataclass(frozen=True)
class Overlap:
    """Permission for an output to share memory with an input that is read for the last time.

    The kernel stays correct as long as the input starts at least `distance` bytes after the output:
    by the time the output reaches a byte of the input, that byte has been read.

    Attributes:
        input: Position in `Call.inputs`.
        output: Position in `Call.outputs`.
        distance: Bytes between the starts of the two tensors, may be negative; `ANYWHERE` where the
            kernel copies the input first.
        exact: Whether the kernel works at this distance only, not at greater ones.
    """

    input: int
    output: int
    distance: int
    exact: bool = False


@dataclass(frozen=True)
class Call:
    """One call of a kernel: `te_<kernel>(&params, inputs..., outputs..., scratch)`.

    Attributes:
        kernel: Stem of the kernel's file in the runtime.
        params: Fields of `te_<kernel>_params`: numbers, constants, or tuples and mappings of them.
        inputs: What it reads.
        outputs: What it writes.
        scratch_bytes: Size of the scratch buffer it takes as the last argument, 0 for no argument.
        overlaps: Which outputs may share memory with which inputs.
    """

    kernel: str
    params: Mapping[str, Any]
    inputs: tuple[Operand | Constant, ...]
    outputs: tuple[Operand, ...]
    scratch_bytes: int = 0
    overlaps: tuple[Overlap, ...] = ()


@dataclass(frozen=True)
class Alias:
    """An output that is its input under another shape: no call, one buffer.

    Attributes:
        tensor: The output.
        of: The input, or the key of a state.
        offset: Bytes from the start of the input.
    """

    tensor: int
    of: Any
    offset: int = 0


@dataclass(frozen=True)
class Step:
    """The calls that one operator becomes.

    Attributes:
        index: Position of the operator in the subgraph.
        code: Schema name of the operator.
        calls: In order.
    """

    index: int
    code: str
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Block:
    """A piece of the arena.

    Attributes:
        key: Tensor index, or `("scratch", call)`.
        size: Bytes.
        first: Position of the first call that uses it; -1 where it is filled before the first call.
        last: Position of the last call that uses it, the number of calls where it outlives them all.
    """

    key: Any
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Port:
    """An input or output of the program.

    Attributes:
        name: As stored in the file.
        ctype: C type of an element.
        dtype: Type as in the file.
        shape: As in the file.
        scale: Of a quantized tensor, else None.
        zero_point: Of a quantized tensor, else None.
        offset: Bytes from the start of the arena.
    """

    name: str
    ctype: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None
    offset: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class State:
    """A buffer whose content survives from one invocation to the next.

    Attributes:
        key: Tensor index, or the key of a resource.
        initial: What it holds after a reset.
    """

    key: Any
    initial: bytes


@dataclass(frozen=True)
class Program:
    """A model as a sequence of kernel calls over one arena.

    Attributes:
        steps: In execution order.
        offsets: Block key -> bytes from the start of the arena.
        arena_bytes: Size of the arena.
        inputs: In the order of the file.
        outputs: In the order of the file.
        states: Streaming state.
        blocks: What was placed, for reports.
        strips: In how many strips of rows the first operators run.
        repeated_work: Share of those operators' work that is done twice for it.
    """

    steps: tuple[Step, ...]
    offsets: Mapping[Any, int]
    arena_bytes: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    states: tuple[State, ...] = ()
    blocks: tuple[Block, ...] = field(default=(), repr=False)
    strips: int = 1
    repeated_work: float = 0.0

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every kernel call in order."""
        return tuple(call for step in self.steps for call in step.calls)

    @property
    def kernels(self) -> tuple[str, ...]:
        """Stems of the kernels used, sorted."""
        return tuple(sorted({call.kernel for call in self.calls}))
