"""From a graph to a program: the registry of operators, what each may ask, and the refusals."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tflite_export.c.layout import lay_out
from tflite_export.c.packed_weights import keep_packed
from tflite_export.c.placement import ATTEMPTS
from tflite_export.c.program import (
    Call,
    Constant,
    Operand,
    Overlap,
    Program,
    State,
    Step,
)
from tflite_export.c.tensor_types import UnsupportedError, ctype, element_bytes, quantization
from tflite_export.errors import ModelError
from tflite_export.graph import Graph, Op, Tensor


@dataclass(frozen=True)
class Emitter:
    """A function that turns one operator into calls, and the input positions it reads at run time."""

    function: Callable
    reads: tuple[int, ...] | None


STRIP_ATTEMPTS = 20  # placements of each way to run in strips

_EMITTERS: dict[str, Emitter] = {}


def emits(*codes, reads=None):
    """Registers the decorated function as the emitter of operators.

    The function takes a `Node` and returns a `Call`, an `Alias`, or a sequence of them; it raises
    `UnsupportedError` with the reason where it cannot.

    Args:
        *codes: Schema names.
        reads: Input positions whose values matter at run time; all of them by default.

    Example:
    >>> from tflite_export.c.emit import emits
    >>> from tflite_export.c.program import Alias
    >>> @emits("MY_IDENTITY", reads=(0,))
    ... def my_identity(node):
    ...     return Alias(node.op.outputs[0], node.op.inputs[0])
    """

    def register(function):
        for code in codes:
            _EMITTERS[code] = Emitter(function, reads)
        return function

    return register


def emitters():
    """Returns the registry, operator code -> `Emitter`, with every module of `c/ops` loaded.

    Example:
    >>> from tflite_export.c.emit import emitters
    >>> "CONV_2D" in emitters()
    True
    """
    from tflite_export.c import ops

    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
    return _EMITTERS


class Node:
    """One operator as its emitter sees it.

    Attributes:
        op: The operator.
        options: Its options.
        graph: The whole file.
        variables: Resource tensor -> key of its state; VAR_HANDLE fills it.
        states: Key -> `State`, for every state found so far.
    """

    def __init__(self, op: Op, graph: Graph, constants: dict[int, np.ndarray], variables: dict, states: dict):
        self.op = op
        self.options = op.options
        self.graph = graph
        self.variables = variables
        self.states = states
        self._subgraph = graph.main
        self._constants = constants

    def input(self, position) -> Tensor:
        """Returns the tensor at an input position."""
        return self._subgraph.tensors[self.op.inputs[position]]

    def output(self, position=0) -> Tensor:
        """Returns the tensor at an output position."""
        return self._subgraph.tensors[self.op.outputs[position]]

    def tensor(self, index) -> Tensor:
        """Returns a tensor by its index in the subgraph."""
        return self._subgraph.tensors[index]

    def has_input(self, position) -> bool:
        """Returns whether an optional input is there."""
        return position < len(self.op.inputs) and self.op.inputs[position] >= 0

    def constant(self, position) -> np.ndarray | None:
        """Returns the values of a constant input, None for an activation or an absent input."""
        return self._constants.get(self.op.inputs[position]) if self.has_input(position) else None

    def constant_of(self, index) -> np.ndarray | None:
        """Returns the values of a constant tensor by its index, None for an activation."""
        return self._constants.get(index)

    def required(self, position, what) -> np.ndarray:
        """Returns the values of an input that must be constant."""
        values = self.constant(position)
        if values is None:
            raise UnsupportedError(f"its {what} must be constant")
        return values

    def operand(self, position, offset=0):
        """Returns an input as the argument of a call: a place in the arena, or a constant array."""
        tensor, values = self.input(position), self.constant(position)
        if values is None:
            return Operand(tensor.index, ctype(tensor), offset)
        return Constant(f"input_{position}", ctype(tensor), np.asarray(values).reshape(-1)[offset:])

    def result(self, position=0, offset=0) -> Operand:
        """Returns an output as the argument of a call."""
        tensor = self.output(position)
        return Operand(tensor.index, ctype(tensor), offset)

    def elementwise(self, *positions) -> tuple[Overlap, ...]:
        """Returns the overlaps of a kernel that reads element i of these inputs before it writes output i."""
        out = self.output()
        wide = element_bytes(out)
        return tuple(
            Overlap(p, 0, 0)
            for p in positions
            if self.constant(p) is None
            and self.input(p).size == out.size
            and element_bytes(self.input(p)) >= wide
        )


def plan_program(graph: Graph, *, strips=1, arena_bytes=None) -> Program:
    """Returns the program for a graph: calls, arena plan and ports.

    Args:
        graph: What `read` returned.
        strips: With more than 1, the first operators run in so many strips of rows where that makes the
            arena smaller; as many of them as serve it best.
        arena_bytes: How large the arena may become so that 4-bit weights stay packed in flash.

    Raises:
        ModelError: If operators are not supported; the message lists all of them.
        ValueError: If `strips` or `arena_bytes` is not positive.
    """
    from tflite_export.c.dead_channels import drop_dead_channels
    from tflite_export.c.strips import strip_graphs

    if strips < 1:
        raise ValueError(f"strips must be at least 1. Received: strips={strips}.")
    if arena_bytes is not None and arena_bytes < 1:
        raise ValueError(f"arena_bytes must be at least 1 or None. Received: arena_bytes={arena_bytes}.")
    graph = drop_dead_channels(graph)
    best = _program(graph, arena_bytes)
    for other, repeated in strip_graphs(graph, strips):
        program = _program(other, arena_bytes, attempts=STRIP_ATTEMPTS)
        if program.arena_bytes < best.arena_bytes:
            best = replace(program, strips=strips, repeated_work=repeated)
    return best


def _program(graph, arena_bytes, attempts=ATTEMPTS):
    """The program for a graph as it is."""
    registry = emitters()
    subgraph = graph.main
    live = live_ops(subgraph, registry)
    constants = {t.index: t.data for t in subgraph.tensors if t.data is not None}
    steps: list[Step] = []
    aliases: dict[Any, tuple[Any, int]] = {}
    refused: list[str] = []
    variables: dict = {}
    states = variable_states(subgraph)
    for op in live:
        try:
            emitter = registry.get(op.code)
            if emitter is None:
                raise UnsupportedError("no kernel for it")
            emitted = emitter.function(Node(op, graph, constants, variables, states))
        except UnsupportedError as error:
            refused.append(f"{op.code} (operator {op.index}): {error}")
            continue
        calls = []
        for item in emitted if isinstance(emitted, (tuple, list)) else (emitted,):
            if isinstance(item, Call):
                calls.append(item)
            elif item.of in constants:
                constants[item.tensor] = constants[item.of]
            else:
                aliases[item.tensor] = item.of, item.offset
        if calls:
            steps.append(Step(op.index, op.code, tuple(calls)))
    refused += [f"output {i} is a constant" for i in subgraph.outputs if i in constants]
    if refused:
        raise ModelError(
            "This model cannot become C. What stands in the way:\n  " + "\n  ".join(refused) + "\n"
            f"Operators with kernels: {', '.join(sorted(registry))}."
        )
    program = lay_out(subgraph, tuple(steps), aliases, states, attempts=attempts)
    return keep_packed(
        program,
        subgraph,
        lambda changed: lay_out(subgraph, changed, aliases, states, attempts=attempts),
        arena_bytes,
    )


def variable_states(subgraph):
    """Returns the states that are tensors, zero after a reset: index -> `State`."""
    states = {}
    for tensor in subgraph.tensors:
        if tensor.is_variable:
            zero = 0
            if tensor.dtype == "int8" and tensor.quantization is not None:
                zero = int(tensor.quantization.zero_point[0])
            initial = bytes([zero & 255]) * (tensor.size * element_bytes(tensor))
            states[tensor.index] = State(tensor.index, initial)
    return states


def live_ops(subgraph, registry):
    """Returns the operators on which an output or a state depends, in order."""
    needed = set(subgraph.outputs)
    live = []
    for op in reversed(subgraph.ops):
        if op.outputs and not needed.intersection(op.outputs):
            continue
        live.append(op)
        reads = registry[op.code].reads if op.code in registry else None
        needed.update(i for p, i in enumerate(op.inputs) if i >= 0 and (reads is None or p in reads))
    return live[::-1]


__all__ = [
    "Emitter",
    "Node",
    "State",
    "UnsupportedError",
    "ctype",
    "element_bytes",
    "emits",
    "emitters",
    "live_ops",
    "plan_program",
    "quantization",
    "variable_states",
]
