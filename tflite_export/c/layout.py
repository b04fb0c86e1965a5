"""From the calls of a program to its arena: lifetimes, permitted overlaps, the order of operators, ports."""

from __future__ import annotations

from dataclasses import replace

from tflite_export.c.order import better_order
from tflite_export.c.placement import ATTEMPTS, place
from tflite_export.c.program import BYTES, Block, Operand, Port, Program, Step
from tflite_export.c.tensor_types import ctype, element_bytes


def lay_out(subgraph, steps, aliases, states, *, attempts=ATTEMPTS):
    """Returns the program of steps over one arena, in the order that needs the least memory.

    Args:
        subgraph: Where the tensors are.
        steps: Calls of each operator, in the order of the file.
        aliases: Tensor -> (tensor or key of a state, bytes from its start) whose memory it shares.
        states: Key -> `State`.
        attempts: How many placements to try.
    """

    def root(index):
        offset = 0
        while index in aliases:
            index, more = aliases[index]
            offset += more
        return index, offset

    steps = tuple(Step(s.index, s.code, tuple(_with_roots(call, root) for call in s.calls)) for s in steps)
    program = _planned(subgraph, steps, root, states, attempts)
    kept = {root(i)[0] for i in subgraph.outputs}
    sizes = {b.key: b.size for b in program.blocks}
    if attempts < ATTEMPTS:
        return program
    order = better_order(
        steps, {root(i)[0] for i in subgraph.inputs} | set(states), kept | set(states), sizes
    )
    if order is None:
        return program
    other = _planned(subgraph, tuple(steps[i] for i in order), root, states, attempts)
    return other if other.arena_bytes < program.arena_bytes else program


def _planned(subgraph, steps, root, states, attempts):
    """The program of steps in the order given."""
    calls = [call for step in steps for call in step.calls]
    blocks = _blocks(subgraph, calls, root, states)
    by_key = {b.key: b for b in blocks}
    distances, exact = {}, set()
    for moment, call in enumerate(calls):
        for pair, (distance, is_exact) in _call_distances(call).items():
            if by_key[pair[0]].last == moment and by_key[pair[1]].first == moment:
                distances[pair] = distance
                exact.update([pair] if is_exact else [])
    offsets, arena = place(blocks, distances, exact, attempts=attempts)

    def port(index):
        key, start = root(index)
        return _port(subgraph.tensors[index], offsets[key] + start)

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
    """The call with the memory that aliases stand for, its overlaps measured from where that starts."""

    def swap(operand):
        if not isinstance(operand, Operand):
            return operand
        key, start = root(operand.tensor)
        return Operand(key, operand.ctype, operand.offset + start // BYTES[operand.ctype])

    def measured(overlap):
        read, written = call.inputs[overlap.input], call.outputs[overlap.output]
        if not isinstance(read, Operand):
            return overlap
        shift = root(written.tensor)[1] - root(read.tensor)[1]
        return replace(overlap, distance=overlap.distance + shift)

    return replace(
        call,
        inputs=tuple(swap(o) for o in call.inputs),
        outputs=tuple(swap(o) for o in call.outputs),
        overlaps=tuple(measured(o) for o in call.overlaps),
    )


def _blocks(subgraph, calls, root, states):
    first, last, size = {}, {}, {}

    def use(index, moment):
        key = root(index)[0]
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
