"""From a graph to a program: the registry of operators, what each may ask, and the refusals."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tflite_export.c.placement import place
from tflite_export.c.program import (
    C_TYPES,
    Block,
    Call,
    Constant,
    Operand,
    Overlap,
    Port,
    Program,
    State,
    Step,
)
from tflite_export.errors import ModelError
from tflite_export.graph import Graph, Op, Tensor


class UnsupportedError(ModelError):
    """Raised by an emitter for an operator that it cannot turn into C."""


@dataclass(frozen=True)
class Emitter:
    """A function that turns one operator into calls, and the input positions it reads at run time."""

    function: Callable
    reads: tuple[int, ...] | None


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


def ctype(tensor):
    """Returns the C type of a tensor's elements.

    Example:
    >>> from tflite_export.c.emit import ctype
    >>> from tflite_export.graph import Tensor
    >>> ctype(Tensor(0, "x", (1,), "int16"))
    'int16_t'
    """
    if tensor.dtype not in C_TYPES:
        raise UnsupportedError(f"tensors of type {tensor.dtype}")
    return C_TYPES[tensor.dtype]


def element_bytes(tensor):
    """Returns the bytes one element takes in the arena.

    Example:
    >>> from tflite_export.c.emit import element_bytes
    >>> from tflite_export.graph import Tensor
    >>> element_bytes(Tensor(0, "x", (1,), "int16"))
    2
    """
    return {"int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "float32": 4, "int64": 8}.get(tensor.dtype, 1)


def quantization(tensor):
    """Returns scale (float) and zero point of a tensor quantized as a whole.

    Raises:
        UnsupportedError: If the tensor has no scale or one for each channel.
    """
    q = tensor.quantization
    if q is None or q.scale.size != 1:
        raise UnsupportedError(f"tensor {tensor.name!r} must have exactly one scale")
    return np.float32(q.scale[0]), int(q.zero_point[0])


def plan_program(graph: Graph) -> Program:
    """Returns the program for a graph: calls, arena plan and ports.

    Args:
        graph: What `read` returned.

    Raises:
        ModelError: If operators are not supported; the message lists all of them.
    """
    from tflite_export.c.dead_channels import drop_dead_channels

    registry = emitters()
    graph = drop_dead_channels(graph)
    subgraph = graph.main
    live = _live_ops(subgraph, registry)
    constants = {t.index: t.data for t in subgraph.tensors if t.data is not None}
    steps: list[Step] = []
    aliases: dict[int, int] = {}
    refused: list[str] = []
    variables: dict = {}
    states = _variable_tensors(subgraph)
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
                aliases[item.tensor] = item.of
        if calls:
            steps.append(Step(op.index, op.code, tuple(calls)))
    if refused:
        raise ModelError(
            "This model cannot become C. What stands in the way:\n  " + "\n  ".join(refused) + "\n"
            f"Operators with kernels: {', '.join(sorted(registry))}."
        )
    return _lay_out(subgraph, tuple(steps), aliases, states)


def _variable_tensors(subgraph):
    """The states that are tensors, zero after a reset."""
    states = {}
    for tensor in subgraph.tensors:
        if tensor.is_variable:
            zero = 0
            if tensor.dtype == "int8" and tensor.quantization is not None:
                zero = int(tensor.quantization.zero_point[0])
            initial = bytes([zero & 255]) * (tensor.size * element_bytes(tensor))
            states[tensor.index] = State(tensor.index, initial)
    return states


def _live_ops(subgraph, registry):
    """The operators on which an output or a state depends, in order."""
    needed = set(subgraph.outputs)
    live = []
    for op in reversed(subgraph.ops):
        if op.outputs and not needed.intersection(op.outputs):
            continue
        live.append(op)
        reads = registry[op.code].reads if op.code in registry else None
        needed.update(i for p, i in enumerate(op.inputs) if i >= 0 and (reads is None or p in reads))
    return live[::-1]


def _lay_out(subgraph, steps, aliases, states):
    def root(index):
        while index in aliases:
            index = aliases[index]
        return index

    steps = tuple(Step(s.index, s.code, tuple(_with_roots(call, root) for call in s.calls)) for s in steps)
    calls = [call for step in steps for call in step.calls]
    blocks = _blocks(subgraph, calls, root, states)
    by_key = {b.key: b for b in blocks}
    distances, exact = {}, set()
    for moment, call in enumerate(calls):
        for pair, (distance, is_exact) in _call_distances(call).items():
            if by_key[pair[0]].last == moment and by_key[pair[1]].first == moment:
                distances[pair] = distance
                exact.update([pair] if is_exact else [])
    offsets, arena = place(blocks, distances, exact)
    port = lambda index: _port(subgraph.tensors[index], offsets[root(index)])  # noqa: E731
    return Program(
        steps=steps,
        offsets=offsets,
        arena_bytes=arena,
        inputs=tuple(port(i) for i in subgraph.inputs),
        outputs=tuple(port(i) for i in subgraph.outputs),
        states=tuple(states[b.key] for b in blocks if b.key in states),
        blocks=tuple(blocks),
    )


def _call_distances(call):
    """(input, output) tensors -> distance and whether it is exact, where every use of the input permits."""
    permitted = {(o.input, o.output): (o.distance, o.exact) for o in call.overlaps}
    distances = {}
    for at, written in enumerate(call.outputs):
        for tensor in {o.tensor for o in call.inputs if isinstance(o, Operand)}:
            uses = [p for p, o in enumerate(call.inputs) if isinstance(o, Operand) and o.tensor == tensor]
            if tensor == written.tensor or any((p, at) not in permitted for p in uses):
                continue
            needed = {permitted[p, at] for p in uses}
            if len(needed) == 1 or not any(is_exact for _, is_exact in needed):
                distances[tensor, written.tensor] = max(needed)
    return distances


def _with_roots(call, root):
    swap = lambda o: Operand(root(o.tensor), o.ctype, o.offset) if isinstance(o, Operand) else o  # noqa: E731
    return Call(
        call.kernel,
        call.params,
        tuple(swap(o) for o in call.inputs),
        tuple(swap(o) for o in call.outputs),
        call.scratch_bytes,
        call.overlaps,
    )


def _blocks(subgraph, calls, root, states):
    first, last, size = {}, {}, {}

    def use(index, moment):
        key = root(index)
        first[key] = min(first.get(key, moment), moment)
        last[key] = max(last.get(key, moment), moment)
        if key in states:
            first[key], last[key], size[key] = -1, len(calls), len(states[key].initial)
        else:
            size[key] = subgraph.tensors[key].size * element_bytes(subgraph.tensors[key])

    for index in subgraph.inputs:
        use(index, -1)
    for moment, call in enumerate(calls):
        for operand in (*call.inputs, *call.outputs):
            if isinstance(operand, Operand):
                use(operand.tensor, moment)
    for index in subgraph.outputs:
        use(index, len(calls))
    blocks = [Block(key, size[key], first[key], last[key]) for key in first]
    blocks += [
        Block(("scratch", moment), call.scratch_bytes, moment, moment)
        for moment, call in enumerate(calls)
        if call.scratch_bytes
    ]
    return blocks


def _port(tensor, offset):
    q = tensor.quantization
    single = q is not None and q.scale.size == 1
    return Port(
        name=tensor.name,
        ctype=ctype(tensor),
        dtype=tensor.dtype,
        shape=tensor.shape,
        scale=float(q.scale[0]) if single else None,
        zero_point=int(q.zero_point[0]) if single else None,
        offset=offset,
    )


__all__ = [
    "Emitter",
    "Node",
    "State",
    "UnsupportedError",
    "ctype",
    "element_bytes",
    "emits",
    "emitters",
    "plan_program",
    "quantization",
]
